"""Fixtures that many tests share. No test leaves this machine."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import llmsynth.model
from llmsynth.journal import Journal
from tests.loopback import Loopback

# the same examples in every run, and no verdict that depends on how busy the machine is
settings.register_profile("suite", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


class BeyondLoopbackError(RuntimeError):
    """A test tried to reach another machine. No OSError, so that no code under test takes it for a lost connection."""


def _is_local(host: Any) -> bool:
    if host in (None, "", b"", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True, scope="session")
def only_loopback() -> Iterator[None]:
    """Refuse every connection and every name look-up that would leave the loopback interface."""
    patch = pytest.MonkeyPatch()

    def guarded(connect: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: socket.socket, address: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
                raise BeyondLoopbackError(f"a test connects to {address}")
            return connect(self, address)

        return call

    look_up = socket.getaddrinfo

    def guarded_look_up(host: Any, *args: Any, **options: Any) -> Any:
        if not _is_local(host):
            raise BeyondLoopbackError(f"a test looks up {host!r}")
        return look_up(host, *args, **options)

    patch.setattr(socket.socket, "connect", guarded(socket.socket.connect))
    patch.setattr(socket.socket, "connect_ex", guarded(socket.socket.connect_ex))
    patch.setattr(socket, "getaddrinfo", guarded_look_up)
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def no_outside_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer's shell sets must not change a test."""
    proxies = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "LLMSYNTH_PRICES", *proxies):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    with Loopback() as server:
        yield server


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "run" / "journal.jsonl")
    yield opened
    opened.close()


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry after a millisecond rather than after half a second."""
    monkeypatch.setattr(llmsynth.model, "_FIRST_WAIT", 0.001)
