"""A Hub on the loopback interface that speaks the endpoints of the real one to its real clients.

Repositories are like git: a commit is a whole tree, made at once, so that a reader sees either all of a commit or
nothing of it. Large files go to a store by the hash of their content, in parts where they are large, and are visible
in no repository before a commit names them.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson
import yaml
from aiohttp import web

from tests.hub_repo import MAIN, Fault, Repo, Tree, entries, large, small
from tests.xet_store import XetStore

TOKEN = "hf_adasverysecrettoken0123456789"


@dataclass
class HubServer:
    """The server, running in a thread of its own.

    folder: where the content of large files is kept; None: only its hash, so that any amount can be sent.
    part: bytes from which on a large file is sent in parts of that size.
    fault: what to answer to the n-th request instead; called with its number, method and path.
    lose: whether to cut the connection when a request has been carried out, called with its method and path.
    stored: called with a number whenever another large file is stored, before the sender is told.
    users: token to the name of a user and the organizations in which they may write.
    """

    folder: Path | None
    part: int = 20_000_000
    fault: Callable[[int, str, str], Fault | None] | None = None
    lose: Callable[[str, str], bool] | None = None
    stored: Callable[[int], None] | None = None
    users: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=lambda: {TOKEN: ("ada", ("lovelace",))})
    port: int = 0
    repos: dict[str, Repo] = field(default_factory=dict)
    objects: dict[str, int] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    answered: Counter[int] = field(default_factory=Counter)
    received: Counter[str] = field(default_factory=Counter)
    xet: XetStore = field(init=False)
    _parts: dict[tuple[str, int], Any] = field(default_factory=dict)
    _thread: threading.Thread | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _stopping: asyncio.Event | None = None

    def __post_init__(self) -> None:
        self.xet = XetStore(self.objects)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def writes(self) -> list[tuple[str, str]]:
        """The requests that change something, or would."""
        return [(method, path) for method, path in self.requests if method not in ("GET", "HEAD")]

    def text(self, repo: str, path: str) -> str:
        """A small file as it is on main."""
        content = self.repos[repo].head[path].content
        assert content is not None
        return content.decode()

    def edit(self, repo: str, path: str, text: str) -> None:
        """Change a small file on main by hand, as people do in their browser."""
        there = self.repos[repo]
        there.commit(MAIN, {**there.head, path: small(text.encode())}, f"Update {path}")

    def __enter__(self) -> HubServer:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), name="hub", daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._thread and self._loop and self._stopping
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(client_max_size=1 << 27, middlewares=[self._faulty])
        add, repo = app.router.add_route, "/api/datasets/{owner}/{name}"
        add("POST", "/api/repos/create", self._create)
        add("GET", "/api/whoami-v2", self._whoami)
        add("POST", "/api/validate-yaml", self._validate)
        add("GET", repo, self._info)
        add("GET", repo + "/revision/{revision}", self._info)
        add("GET", repo + "/tree/{revision}", self._tree)
        add("GET", repo + "/tree/{revision}/{path}", self._tree)
        add("POST", repo + "/paths-info/{revision}", self._paths)
        add("POST", repo + "/preupload/{revision}", self._preupload)
        add("POST", repo + "/commit/{revision}", self._commit)
        add("POST", repo + "/branch/{revision}", self._branch)
        add("PUT", repo + "/settings", self._settings)
        add("POST", "/datasets/{owner}/{name}.git/info/lfs/objects/batch", self._batch)
        add("*", "/datasets/{owner}/{name}/resolve/{revision}/{path:.+}", self._resolve)
        add("POST", "/lfs/verify", self._verify)
        add("PUT", "/lfs/{sha256}", self._put)
        add("PUT", "/lfs/{sha256}/{number}", self._put)
        add("POST", "/lfs/{sha256}/complete", self._complete)
        app.router.add_routes(self.xet.routes())
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", self.port, reuse_address=True)
            await site.start()
            self.port = runner.addresses[0][1]
            ready.set()
            await self._stopping.wait()
        finally:
            await runner.cleanup()

    @web.middleware
    async def _faulty(self, request: web.Request, handler: Any) -> web.StreamResponse:
        number = len(self.requests)
        self.requests.append((request.method, request.path))
        fault = self.fault(number, request.method, request.path) if self.fault else None
        if fault is not None:
            status, headers, body = fault
            response: web.StreamResponse = web.Response(
                status=status, text=body, headers={"Content-Type": "application/json", **headers}
            )
        else:
            try:
                response = await handler(request)
            except web.HTTPNotFound:
                response = _error(404, "Not found")
        if self.lose and self.lose(request.method, request.path) and request.transport:
            request.transport.abort()
        self.answered[response.status] += 1
        return response

    # who asks, and for what

    def _user(self, request: web.Request) -> tuple[str, tuple[str, ...]] | None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return self.users.get(token)

    def _refused(self, request: web.Request, owner: str) -> web.Response | None:
        """The answer to one who may not write there."""
        user = self._user(request)
        if user is None:
            return _error(401, "Invalid username or password.")
        if owner != user[0] and owner not in user[1]:
            return _error(403, "Forbidden: you don't have the rights to write to this namespace")
        return None

    def _repo(self, request: web.Request) -> Repo | None:
        """The repository asked for; None where there is none, or none for who asks."""
        owner, name = request.match_info["owner"], request.match_info["name"]
        repo = self.repos.get(f"{owner}/{name}")
        return None if repo is None or (repo.private and self._refused(request, owner) is not None) else repo

    def _revision(self, request: web.Request) -> tuple[Repo, str, Tree] | web.Response:
        repo = self._repo(request)
        if repo is None:
            known = self._user(request) is not None
            return _error(404 if known else 401, "Repository not found", "RepoNotFound")
        oid = repo.resolved(unquote(request.match_info.get("revision", MAIN)))
        return (repo, oid, repo.trees[oid]) if oid else _error(404, "Invalid rev id", "RevisionNotFound")

    # the API

    async def _whoami(self, request: web.Request) -> web.Response:
        user = self._user(request)
        if user is None:
            return _error(401, "Invalid username or password.")
        return web.json_response({"type": "user", "name": user[0], "orgs": [{"name": name} for name in user[1]]})

    async def _create(self, request: web.Request) -> web.Response:
        body = await request.json()
        user = self._user(request)
        owner = body.get("organization") or (user[0] if user else "")
        if (refused := self._refused(request, owner)) is not None:
            return refused
        name = f"{owner}/{body['name']}"
        url = f"{self.url}/datasets/{name}"
        if name in self.repos:
            return web.json_response({"error": "You already created this dataset repo", "url": url}, status=409)
        self.repos[name] = repo = Repo(private=body.get("visibility") == "private" or bool(body.get("private")))
        repo.commit(MAIN, {".gitattributes": small(b"*.parquet filter=lfs\n")}, "initial commit")
        return web.json_response({"url": url, "name": name})

    async def _settings(self, request: web.Request) -> web.Response:
        if (refused := self._refused(request, request.match_info["owner"])) is not None:
            return refused
        repo, body = self._repo(request), await request.json()
        assert repo is not None
        repo.private = body.get("visibility", "private") == "private"
        return web.json_response({"private": repo.private})

    async def _validate(self, request: web.Request) -> web.Response:
        content = (await request.json())["content"]
        try:
            header = yaml.safe_load(content.split("---\n")[1])
            errors = [] if isinstance(header, dict) else ["no mapping"]
        except (yaml.YAMLError, IndexError) as error:
            errors = [str(error)]
        said = {"errors": [{"message": message} for message in errors], "warnings": []}
        return web.json_response(said, status=400 if errors else 200)

    async def _info(self, request: web.Request) -> web.Response:
        found = self._revision(request)
        if isinstance(found, web.Response):
            return found
        repo, oid, tree = found
        name = f"{request.match_info['owner']}/{request.match_info['name']}"
        siblings = [{"rfilename": path} for path in sorted(tree)]
        return web.json_response(
            {"id": name, "_id": name, "sha": oid, "private": repo.private, "tags": [], "siblings": siblings}
        )

    async def _tree(self, request: web.Request) -> web.Response:
        found = self._revision(request)
        if isinstance(found, web.Response):
            return found
        inside = unquote(request.match_info.get("path", ""))
        recursive = request.query.get("recursive", "").lower() in ("true", "1")
        listed = list(entries(found[2], inside, recursive))
        if inside and not listed:
            return _error(404, f"{inside} does not exist", "EntryNotFound")
        start = int(request.query.get("cursor", 0))
        headers = {}
        if len(listed) > start + 1000:
            headers["Link"] = f'<{request.url.update_query(cursor=str(start + 1000))}>; rel="next"'
        return web.json_response(listed[start : start + 1000], headers=headers)

    async def _paths(self, request: web.Request) -> web.Response:
        found = self._revision(request)
        if isinstance(found, web.Response):
            return found
        form = await request.post()
        wanted = {str(path) for path in form.getall("paths", [])}
        return web.json_response([entry for entry in entries(found[2], "", True) if entry["path"] in wanted])

    async def _branch(self, request: web.Request) -> web.Response:
        if (refused := self._refused(request, request.match_info["owner"])) is not None:
            return refused
        repo = self._repo(request)
        assert repo is not None
        name = unquote(request.match_info["revision"])
        if name in repo.branches:
            return _error(409, "Reference already exists")
        repo.branches[name] = repo.branches[MAIN][:]
        return web.json_response({})

    async def _preupload(self, request: web.Request) -> web.Response:
        if (refused := self._refused(request, request.match_info["owner"])) is not None:
            return refused
        found = self._revision(request)
        if isinstance(found, web.Response):
            return found
        said = []
        for file in (await request.json())["files"]:
            large = file["path"].endswith(".parquet") or file["size"] > 10_000_000
            there = found[2].get(file["path"])
            said.append(
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if large else "regular",
                    "shouldIgnore": False,
                    "oid": (there.sha256 or there.oid) if there else None,
                }
            )
        return web.json_response({"files": said})

    async def _commit(self, request: web.Request) -> web.Response:
        if (refused := self._refused(request, request.match_info["owner"])) is not None:
            return refused
        found = self._revision(request)
        if isinstance(found, web.Response):
            return found
        repo, parent, before = found
        lines = [orjson.loads(line) for line in (await request.read()).splitlines() if line]
        header = lines[0]["value"]
        pull = request.query.get("create_pr") == "1"
        if header.get("parentCommit") not in (None, parent) and not pull:
            return _error(412, "A commit has happened since. Please refresh and try again.")
        tree = dict(before)
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "deletedFile":
                if tree.pop(value["path"], None) is None:
                    return _error(404, "A file with this name doesn't exist", "EntryNotFound")
            elif line["key"] == "file":
                tree[value["path"]] = small(base64.b64decode(value["content"]))
            elif line["key"] == "lfsFile":
                if value["oid"] not in self.objects:
                    return _error(400, f"lfs object {value['oid']} was never sent")
                tree[value["path"]] = large(value["oid"], self.objects[value["oid"]])
            else:
                return _error(400, f"{line['key']} is unknown")
        branch = unquote(request.match_info["revision"])
        if pull:
            branch = f"refs/pr/{sum(name.startswith('refs/pr/') for name in repo.branches) + 1}"
        oid = repo.commit(branch, tree, header["summary"])
        page = f"{self.url}/datasets/{request.match_info['owner']}/{request.match_info['name']}"
        said = {"success": True, "commitOid": oid, "commitUrl": f"{page}/commit/{oid}"}
        if pull:
            said["pullRequestUrl"] = f"{page}/discussions/{branch.rpartition('/')[2]}"
        return web.json_response(said)

    # large files

    async def _batch(self, request: web.Request) -> web.Response:
        if (refused := self._refused(request, request.match_info["owner"])) is not None:
            return refused
        said: list[dict[str, Any]] = []
        for wanted in (await request.json())["objects"]:
            sha256, size = wanted["oid"], wanted["size"]
            entry: dict[str, Any] = {"oid": sha256, "size": size}
            if sha256 not in self.objects:
                href, header = f"{self.url}/lfs/{sha256}", {}
                if size > self.part:
                    count = -(-size // self.part)
                    header = {str(n): f"{href}/{n}?X-Signature=secret" for n in range(1, count + 1)}
                    header["chunk_size"] = str(self.part)
                    href += "/complete"
                verify = {"href": f"{self.url}/lfs/verify"}
                entry["actions"] = {"upload": {"href": href, "header": header}, "verify": verify}
            said.append(entry)
        transfer = "multipart" if any("chunk_size" in str(entry) for entry in said) else "basic"
        return web.json_response({"transfer": transfer, "objects": said})

    async def _put(self, request: web.Request) -> web.Response:
        """Take a whole file, or the parts of one, which come in order; a part may come twice."""
        sha256, number = request.match_info["sha256"], int(request.match_info.get("number", 1))
        if "Authorization" in request.headers:
            return _error(400, "the store takes no token")  # as that of the real Hub is another company's
        digest, size = self._parts.get((sha256, number - 1), (hashlib.sha256(), 0))
        digest = digest.copy()
        file = (self.folder / f"{sha256}.partial").open("r+b" if number > 1 else "wb") if self.folder else None
        with file or contextlib.nullcontext():
            if file:
                file.seek(size)
                file.truncate()
            async for piece in request.content.iter_chunked(1 << 18):
                digest.update(piece)
                size += len(piece)
                if file:
                    file.write(piece)
        self.received[sha256] += 1
        if "number" not in request.match_info:
            return self._keep(sha256, digest, size)
        self._parts[sha256, number] = digest, size
        return web.Response(headers={"ETag": f'"{number}"'})

    async def _complete(self, request: web.Request) -> web.Response:
        sha256, parts = request.match_info["sha256"], (await request.json())["parts"]
        if [(part["partNumber"], part["etag"]) for part in parts] != [(n, f'"{n}"') for n in range(1, len(parts) + 1)]:
            return _error(400, "parts are missing")
        if sha256 in self.objects:
            return web.Response()
        return self._keep(sha256, *self._parts[sha256, len(parts)])

    def _keep(self, sha256: str, digest: Any, size: int) -> web.Response:
        if digest.hexdigest() != sha256:
            return _error(400, "the content does not have its hash")
        if self.folder:
            (self.folder / f"{sha256}.partial").rename(self.folder / sha256)
        self.objects[sha256] = size
        if self.stored:
            self.stored(len(self.objects))
        return web.Response()

    async def _verify(self, request: web.Request) -> web.Response:
        body = await request.json()
        there = self.objects.get(body["oid"]) == body["size"]
        return web.json_response({}) if there else _error(404, "no such object")

    async def _resolve(self, request: web.Request) -> web.StreamResponse:
        found = self._revision(request)
        if isinstance(found, web.Response):
            return found
        _, oid, tree = found
        file = tree.get(request.match_info["path"])
        if file is None:
            return _error(404, "Entry not found", "EntryNotFound", {"X-Repo-Commit": oid})
        headers = {"X-Repo-Commit": oid, "ETag": f'"{file.sha256 or file.oid}"', "Accept-Ranges": "bytes"}
        if file.sha256:
            headers |= {"X-Linked-ETag": f'"{file.sha256}"', "X-Linked-Size": str(file.size)}
        if file.content is not None:
            return web.Response(body=file.content, headers=headers)
        assert self.folder, "only the hash was kept"
        return web.FileResponse(self.folder / file.sha256, headers=headers)


def _error(status: int, message: str, code: str = "", headers: dict[str, str] | None = None) -> web.Response:
    told = {"X-Error-Code": code, "X-Error-Message": message} if code else {}
    return web.json_response({"error": message}, status=status, headers={**told, **(headers or {})})
