"""How long `import llmsynth` and `llmsynth --help` take beside a bare interpreter, and what they load. Target 0.4 s."""

from __future__ import annotations

import json
import subprocess
import sys
import time

HEAVY = ("torch", "transformers", "vllm", "datasets", "pandas")
ROUNDS = 7
COMMANDS = {
    "python": "pass",
    "import llmsynth": "import llmsynth",
    "llmsynth --help": "import sys; sys.argv = ['llmsynth', '--help']; from llmsynth.cli import main; main()",
}


def main() -> None:
    results = {}
    for name, code in COMMANDS.items():
        times = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
            times.append(time.perf_counter() - began)
        results[name] = {"seconds": round(sorted(times)[ROUNDS // 2], 3), "heavy modules": loaded(code)}
    print(json.dumps(results, indent=2))


def loaded(code: str) -> list[str]:
    """Which of the heavy modules are there when the code has run."""
    tell = f"print([m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    watch = f"import atexit, sys; atexit.register(lambda: {tell})\n"
    done = subprocess.run([sys.executable, "-c", watch + code], check=True, capture_output=True, text=True)
    found: list[str] = json.loads(done.stderr.splitlines()[-1].replace("'", '"'))
    return found


if __name__ == "__main__":
    main()
