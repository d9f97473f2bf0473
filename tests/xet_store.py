"""The store that the Hub's client sends large files to by default: in pieces, each of them once.

Speaks as much of the protocol (Xet, https://huggingface.co/docs/xet) as an upload needs: tokens, blocks of pieces
("xorbs"), and lists of what files are made of ("shards"), which are read, and refused where a block is missing.
"""

from __future__ import annotations

import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from aiohttp import web

_HEAD, _ENTRY = 48, 48  # bytes of a shard's head, and of everything in it
_VERIFIED, _HASHED = 1 << 31, 1 << 30  # flags of a file: there are more entries


class Listed(NamedTuple):
    """A file as a shard lists it."""

    sha256: str
    size: int
    blocks: tuple[str, ...]


@dataclass
class XetStore:
    """Routes for a Hub whose `objects`, SHA-256 to size, name what is there in the end.

    blocks: how often each was sent. used: those that files are made of.
    listed: called with a number whenever files are listed, before the sender is told.
    """

    objects: dict[str, int]
    blocks: Counter[str] = field(default_factory=Counter)
    used: set[str] = field(default_factory=set)
    listed: Callable[[int], None] | None = None

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/datasets/{owner}/{name}/xet-write-token/{revision}", self._token),
            web.post("/v1/xorbs/default/{hash}", self._block),
            web.post("/v1/shards", self._shard),
        ]

    async def _token(self, request: web.Request) -> web.Response:
        if not request.headers.get("Authorization", "").startswith("Bearer hf_"):
            return web.json_response({"error": "Invalid username or password."}, status=401)
        told = {"casUrl": str(request.url.origin()), "accessToken": "xet-token", "exp": int(time.time()) + 3600}
        return web.json_response(told)

    async def _block(self, request: web.Request) -> web.Response:
        block = request.match_info["hash"]
        assert await request.read()
        self.blocks[block] += 1
        return web.json_response({"was_inserted": self.blocks[block] == 1})

    async def _shard(self, request: web.Request) -> web.Response:
        files = list(_files(await request.read()))
        if any(block not in self.blocks for file in files for block in file.blocks):
            return web.json_response({"error": "a block was never sent"}, status=400)
        self.objects.update((file.sha256, file.size) for file in files)
        self.used.update(block for file in files for block in file.blocks)
        if self.listed:
            self.listed(len(self.objects))
        return web.json_response({"result": 1})


def _files(shard: bytes) -> Iterator[Listed]:
    place = _HEAD
    while (digest := shard[place : place + 32]) != b"\xff" * 32:
        flags, count = struct.unpack_from("<II", shard, place + 32)
        place += _ENTRY
        entries = [struct.unpack_from("<32sII", shard, place + number * _ENTRY) for number in range(count)]
        place += count * _ENTRY * (2 if flags & _VERIFIED else 1)
        assert flags & _HASHED, f"no SHA-256 of {digest.hex()}"
        sha256 = _hex(shard[place : place + 32])
        place += _ENTRY
        yield Listed(sha256, sum(entry[2] for entry in entries), tuple(_hex(entry[0]) for entry in entries))


def _hex(digest: bytes) -> str:
    """As addresses have it: each eight bytes are one number, the least first."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", digest))
