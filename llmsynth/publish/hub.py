"""`Hub`: one dataset repository, spoken to with patience."""

from __future__ import annotations

import logging
import random
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from llmsynth.errors import PublishError
from llmsynth.publish.trouble import ATTEMPTS, FIRST_ATTEMPTS, LONGEST_WAIT, LookAgainError, explained, trouble_of

T = TypeVar("T")
Tell = Callable[[str], None]

GROUP = 4  # files sent before the next are looked at: bounds memory, to 0.8 GiB, and how often progress is told
_LOGGERS = ("huggingface_hub", "httpx", "httpx2")


@dataclass(frozen=True)
class There:
    """A file in the repository: its size, its git hash, and the hash of its content where it is a large one."""

    size: int
    blob: str
    sha256: str = ""


@dataclass(frozen=True)
class Remote:
    """A repository as it was at one commit. new_branch: the branch wanted is not there yet; this is main."""

    commit: str
    private: bool
    files: Mapping[str, There]
    new_branch: bool = False


@dataclass
class Hub:
    """A dataset repository of the Hub.

    repo: "owner/name". tell: is called with what happens, for people.
    """

    repo: str
    revision: str = "main"
    endpoint: str | None = None
    tell: Tell = lambda text: None
    _reached: bool = False
    _sent: dict[tuple[str, Path], Any] = field(default_factory=dict)

    def user(self) -> str:
        """Who the token belongs to. Raises `PublishError` where there is none, or an invalid one."""
        return str(self._ask(lambda: self._api.whoami())["name"])

    def look(self) -> Remote | None:
        """The repository as it is; None where there is none, or none that the token may see."""
        from huggingface_hub.utils import RepositoryNotFoundError, RevisionNotFoundError

        new_branch = False
        try:
            info = self._ask(lambda: self._api.dataset_info(self.repo, revision=self.revision))
        except RepositoryNotFoundError:
            return None
        except RevisionNotFoundError:
            info, new_branch = self._ask(lambda: self._api.dataset_info(self.repo)), True
        commit = str(info.sha)
        listed = self._ask(
            lambda: list(self._api.list_repo_tree(self.repo, recursive=True, revision=commit, repo_type="dataset"))
        )
        files = {
            entry.path: There(entry.size, entry.blob_id, entry.lfs.sha256 if entry.lfs else "")
            for entry in listed
            if hasattr(entry, "blob_id")
        }
        return Remote(commit, bool(info.private), files, new_branch)

    def read(self, path: str, commit: str) -> str:
        """A text file as it was at a commit."""
        from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

        url = f"{self._api.endpoint}/datasets/{self.repo}/resolve/{commit}/{quote(path)}"

        def get() -> bytes:
            response = get_session().get(url, headers=build_hf_headers())
            hf_raise_for_status(response)
            return bytes(response.content)

        try:
            return self._ask(get).decode("utf-8")
        except UnicodeDecodeError as error:
            raise PublishError(f"{path} of {self.repo} is not UTF-8 text", "mend it there first") from error

    def address(self, commit: str) -> str:
        return f"{self._api.endpoint}/datasets/{self.repo}/commit/{commit}"

    def create(self, private: bool) -> None:
        self._ask(lambda: self._api.create_repo(self.repo, repo_type="dataset", private=private, exist_ok=True))

    def create_branch(self) -> None:
        self._ask(lambda: self._api.create_branch(self.repo, branch=self.revision, repo_type="dataset", exist_ok=True))

    def open_to_all(self) -> None:
        self._ask(lambda: self._api.update_repo_settings(self.repo, private=False, repo_type="dataset"))

    def send(self, files: Mapping[str, Path], pull: bool = False) -> list[Any]:
        """Send large files to the store, where nobody sees them before a commit names them; what is there stays.

        files: by path in the repository. Returns what `commit` takes.
        """
        from huggingface_hub import CommitOperationAdd

        keys = list(files.items())
        additions = [self._sent.get(key) or CommitOperationAdd(key[0], str(key[1])) for key in keys]
        total = sum(addition.upload_info.size for addition in additions)
        sent = 0
        for start in range(0, len(additions), GROUP):
            group = additions[start : start + GROUP]
            sent += sum(one.upload_info.size for one in group)
            if all(key in self._sent for key in keys[start : start + GROUP]):
                continue
            self._ask(
                lambda group=group: self._api.preupload_lfs_files(  # type: ignore[misc]
                    self.repo, group, repo_type="dataset", revision=self.revision, create_pr=pull, free_memory=False
                ),
                sending=True,
            )
            if ignored := [one.path_in_repo for one in group if getattr(one, "_should_ignore", False)]:
                raise PublishError(
                    f"the .gitignore of {self.repo} leaves out {', '.join(ignored[:3])}", "take that out of it first"
                )
            self._sent |= zip(keys[start : start + GROUP], group, strict=True)
            count = min(start + GROUP, len(additions))
            self.tell(f"{count} of {len(additions)} files are at the Hub, {in_words(sent)} of {in_words(total)}")
        return additions

    def commit(
        self,
        additions: Sequence[Any],
        texts: Mapping[str, str],
        moves: Sequence[tuple[str, str]],
        deleted: Sequence[str],
        message: str,
        parent: str,
        pull: bool = False,
    ) -> str:
        """Make one commit of all of it, which is there whole or not at all, and return its address.

        Raises `LookAgainError` where somebody has written there since `parent`, or where it cannot be known whether the
        commit was made: what there is to do then is seen by looking again.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete

        operations = [
            *additions,
            *(CommitOperationAdd(path, text.encode()) for path, text in texts.items()),
            *(CommitOperationCopy(old, new) for old, new in moves),
            *(CommitOperationDelete(path) for path in dict.fromkeys([*deleted, *(old for old, _ in moves)])),
        ]
        with _quiet(self.tell):
            try:
                made = self._api.create_commit(
                    self.repo,
                    operations,
                    commit_message=message,
                    repo_type="dataset",
                    revision=self.revision,
                    create_pr=pull,
                    parent_commit=parent,
                )
            except Exception as error:
                raise self._after_commit(error, pull) from error
        return str((made.pr_url or made.commit_url) if pull else made.commit_url)

    def _after_commit(self, error: Exception, pull: bool) -> Exception:
        trouble = trouble_of(error)
        if trouble is not None and trouble.status == 412:
            return LookAgainError("somebody else has just changed it", 0.0)
        if trouble is None or not trouble.passing:
            return explained(error, self.repo)
        if pull and trouble.status not in (429, 503):
            return PublishError(
                f"whether the pull request was opened is not known: {trouble.said}",
                f"look at the community tab of {self.repo} before you push again",
            )
        return LookAgainError(trouble.said, trouble.wait)

    def _ask(self, call: Callable[[], T], sending: bool = False) -> T:
        """What a call returns, asked again while the trouble is one that passes."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with _quiet(self.tell):
                    result = call()
            except Exception as error:
                trouble = trouble_of(error)
                if trouble is not None and trouble.status:
                    self._reached = True
                last = attempt == (ATTEMPTS if self._reached else FIRST_ATTEMPTS)
                if trouble is None or not trouble.passing or last:
                    told = explained(error, self.repo, sending)
                    if told is error:
                        raise
                    raise told from error
                pause(attempt, trouble.wait, trouble.said, self.tell)
            else:
                self._reached = True
                return result
        raise AssertionError("the last attempt returns or raises")

    @property
    def _api(self) -> Any:
        from huggingface_hub import HfApi

        return HfApi(endpoint=self.endpoint, library_name="llmsynth")


def pause(attempt: int, wait: float | None, said: str, tell: Tell) -> None:
    """Wait as long as the Hub asks for, or a while that grows with each attempt."""
    if wait is None:
        wait = min(LONGEST_WAIT, 2.0 ** (attempt - 1)) * random.uniform(0.75, 1.0)
    if wait >= 5 or attempt == 3:
        tell(f"{said}; again in {max(1, round(wait))} s")
    time.sleep(wait)


def in_words(size: int) -> str:
    """A number of bytes for people: 4.2 kB."""
    value = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{size} bytes" if unit == "bytes" else f"{value:,.1f} {unit}"


@contextmanager
def _quiet(tell: Tell) -> Iterator[None]:
    """Without the client's bars and its line for each attempt, in which the address of a store, with a key that opens
    it for a while, may stand; its warnings are told as anything else is.
    """
    from huggingface_hub import constants
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    bars = not are_progress_bars_disabled() and constants.HF_HUB_DISABLE_PROGRESS_BARS is None
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    if bars:
        disable_progress_bars()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
        for warning in caught:
            if warning.category is UserWarning:
                tell(str(warning.message))
    finally:
        if bars:
            enable_progress_bars()
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
