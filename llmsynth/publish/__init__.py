"""`publish`: a dataset on this machine becomes one on the Hub, or grows one that is there."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from llmsynth.errors import PublishError
from llmsynth.publish.hub import Hub, Remote, Tell, pause
from llmsynth.publish.plan import OTHER_RECIPES, Plan, refuse_written, whole, written
from llmsynth.publish.source import CARD, RECIPE, Source, read_source
from llmsynth.publish.trouble import ATTEMPTS, LOGIN, NO_TOKEN, OFFLINE, LookAgainError, OutOfReachError

log = logging.getLogger(__name__)

__all__ = ["Published", "Target", "check", "deliver", "look_ahead", "publish", "ready"]


@dataclass(frozen=True)
class Target:
    """Where to publish, and what may be done there.

    repo: "owner/name", or a name, which is then the user's own.
    public: visible to everybody; a new repository is private unless this is said, and nothing is sent to a public one.
    append: add the rows to those that are there. overwrite: put them in place of those that are there.
    pull: propose the change to the owner, as a pull request.
    revision: the branch. endpoint: the Hub's address, if not the usual one or that of HF_ENDPOINT.
    """

    repo: str
    public: bool = False
    append: bool = False
    overwrite: bool = False
    pull: bool = False
    revision: str = "main"
    message: str = ""
    endpoint: str | None = None


@dataclass(frozen=True)
class Published:
    """The plan that was carried out, and the address of the commit, empty where nothing was to change."""

    repo: str
    plan: Plan
    address: str


def publish(path: str | Path, target: Target, tell: Tell = lambda text: None) -> Published:
    """Send the dataset of a run, or of a folder, to the Hub, in one commit: nobody ever sees a part of it.

    Killed and called again, it sends what is missing. tell: called with what happens, for people.
    Raises `PublishError` for whatever stands in the way.
    """
    check(target)
    source = read_source(Path(path))
    hub = _hub(target, tell)
    user = hub.user()
    hub.repo = _full_name(target.repo, lambda: user)
    for attempt in range(1, ATTEMPTS + 1):
        remote = hub.look()
        plan = _plan(source, target, hub, remote)
        _refuse_exposure(target, hub.repo, remote)
        if attempt == 1:
            for note in plan.notes:
                tell(note)
        if not plan.changes:
            made = hub.address(remote.commit) if remote and attempt > 1 else ""  # its answer was lost
            return _done(target, hub, remote, Published(hub.repo, plan, made))
        if remote is None:
            hub.create(private=not target.public)
            remote = hub.look()
            if remote is None:
                raise PublishError(
                    f"{hub.repo} was made, but cannot be seen", "does the token have the read scope too?"
                )
            plan = _plan(source, target, hub, remote)
            _refuse_exposure(target, hub.repo, remote)
        if remote.new_branch and not target.pull:
            hub.create_branch()
        additions = hub.send({path: shard.file for path, shard in plan.send.items()}, target.pull)
        message = target.message or _message(source, plan, target)
        try:
            address = hub.commit(additions, plan.texts, plan.moves, plan.deleted, message, remote.commit, target.pull)
        except LookAgainError as again:
            pause(attempt, again.wait, again.said, tell)
            continue
        return _done(target, hub, remote, Published(hub.repo, plan, address))
    raise PublishError("the Hub takes no commit just now", "Wait a while. The same command sends only what is missing.")


def look_ahead(path: str | Path, target: Target, tell: Tell = lambda text: None) -> tuple[str, Remote | None, Plan]:
    """What `publish` would do: the repository's name, what it is now, and the plan. Sends nothing, changes nothing.

    Where the Hub cannot be reached, the plan is that for a new repository, which is told.
    """
    from huggingface_hub import get_token

    check(target)
    source = read_source(Path(path))
    hub = _hub(target, tell)
    remote = None
    try:
        hub.repo = _full_name(target.repo, hub.user)
        remote = hub.look()
        if remote is None and not get_token():
            tell("without a token, only what is public was looked for")
    except OutOfReachError as error:
        tell(f"whether {hub.repo} is there already is not known: {error.message}")
    plan = _plan(source, target, hub, remote)
    _refuse_exposure(target, hub.repo, remote)
    return hub.repo, remote, plan


def check(target: Target) -> None:
    """Raise `PublishError` for what cannot be published to, as far as that is known without asking."""
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    if target.append and target.overwrite:
        raise PublishError("append and overwrite cannot both be meant", "leave one of them out")
    try:
        validate_repo_id(target.repo)
    except HFValidationError as error:
        raise PublishError(
            f"{target.repo!r} is no name of a repository", "owner/name, of letters, digits, - _ and ."
        ) from error


def ready(target: Target | None) -> None:
    """Raise `PublishError` for what would only come to light when there is something to publish."""
    if target is None:
        return
    from huggingface_hub import constants, get_token

    check(target)
    if constants.HF_HUB_OFFLINE:
        raise OutOfReachError(OFFLINE, "unset it, or publish later, with `llmsynth push`")
    if not get_token():
        raise PublishError(NO_TOKEN, LOGIN)


def deliver(directory: str | Path, target: Target) -> str:
    """Publish the run that has just been completed, as its recipe asks for; where it is now."""
    try:
        done = publish(directory, target, log.info)
    except PublishError as error:
        again = f"The run itself is complete: `llmsynth push {directory} {target.repo}` publishes it later."
        raise PublishError(error.message, f"{error.hint}\n{again}".strip()) from error
    return done.address or done.repo


def _plan(source: Source, target: Target, hub: Hub, remote: Remote | None) -> Plan:
    """What to change, given what is there now."""
    published = hub.read(CARD, remote.commit) if remote and CARD in remote.files else ""
    if target.append and remote and written(remote):
        from llmsynth.publish.addition import added

        recipes = [path for path in remote.files if path == RECIPE or fnmatchcase(path, OTHER_RECIPES)]
        return added(source, hub.repo, remote, published, {path: hub.read(path, remote.commit) for path in recipes})
    plan = whole(source, hub.repo, remote, published)
    if not (target.overwrite or target.pull):
        refuse_written(plan, hub.repo, remote)
    return plan


def _hub(target: Target, tell: Tell) -> Hub:
    return Hub(target.repo, target.revision, target.endpoint, tell)


def _full_name(repo: str, user: Callable[[], str]) -> str:
    return repo if "/" in repo else f"{user()}/{repo}"


def _refuse_exposure(target: Target, repo: str, remote: Remote | None) -> None:
    if remote is not None and not remote.private and not target.public:
        raise PublishError(
            f"{repo} is public, so everybody would see these rows", "say so with --public, or name another repository"
        )


def _done(target: Target, hub: Hub, remote: Remote | None, published: Published) -> Published:
    if target.public and not target.pull and remote is not None and remote.private:
        hub.open_to_all()
    return published


def _message(source: Source, plan: Plan, target: Target) -> str:
    name = source.header.get("pretty_name") or "dataset"
    count = f"{len(plan.send)} file{'' if len(plan.send) == 1 else 's'}"
    return f"Add to {name}: {count}" if target.append and plan.moves else f"Publish {name}: {count}"
