"""`synthesize`: from a recipe to a dataset, in one straight line."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
import yaml

from llmsynth.blocking import seldom_collected, wait_for
from llmsynth.budget import Budget
from llmsynth.curation import Curation
from llmsynth.early import Early
from llmsynth.errors import LlmsynthError, RunError, StorageError
from llmsynth.funnel import Funnel
from llmsynth.generators.protocol import asks, digest_of
from llmsynth.journal import Journal
from llmsynth.layout import refuse_misspelt, refuse_misspelt_roles, refuse_unread
from llmsynth.model import Model
from llmsynth.prompts import Prompts
from llmsynth.publish import deliver, ready
from llmsynth.recipe import Built, Recipe, same_result
from llmsynth.record import Record
from llmsynth.request import Backend
from llmsynth.run import Run
from llmsynth.sharing import shared_limiters
from llmsynth.steps import afterwards, columns_behind

if TYPE_CHECKING:
    from llmsynth.dataset import RecordWriter

T = TypeVar("T")

Watcher = Callable[[Run], None]
Make = Callable[[Run, Built, Path, Funnel], Awaitable[None]]
"""Makes the records of a run: puts them into `records/` and counts them in tally and funnel."""

_RECIPE, _JOURNAL, _REPORT = "recipe.yaml", "journal.jsonl", "report.json"  # in the directory of a run
_FLUSH_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Result:
    """A finished run. `report` is what report.json holds; `before`: it was finished already, nothing was done.

    published: where its dataset is on the Hub, if the recipe asks for that and the run is complete.
    """

    directory: Path
    report: dict[str, Any]
    before: bool = False
    published: str = ""

    @property
    def complete(self) -> bool:
        """Whether the target was met and every request answered."""
        return bool(self.report["complete"])

    @property
    def dataset(self) -> Path:
        """The folder that `datasets.load_dataset` opens."""
        return self.directory / "dataset"

    def records(self) -> Iterator[Record]:
        """Every record, kept and dropped."""
        from llmsynth.dataset import read_records

        return read_records(self.directory / "records")


def synthesize(
    recipe: Recipe,
    directory: str | Path,
    *,
    backends: Mapping[str, Backend] | None = None,
    update: bool = False,
    watch: Watcher | None = None,
) -> Result:
    """Make the dataset a recipe describes, in `directory`; called again, go on where it stopped.

    backends: replace those of the recipe's models, by role.
    update: allow a directory made by another recipe, or by this one from other seeds, prompts or taxonomies; what the
        journal already holds is not asked again.
    watch: called a few times a second with the run.

    Publishes what is complete, if the recipe asks. Works in a notebook's event loop too. Raises `LlmsynthError`.
    """
    target = recipe.build().publish
    if target:
        ready(target)
    with seldom_collected():
        result = wait_for(_synthesize(recipe, Path(directory), backends or {}, update, watch, _generate))
    return replace(result, published=deliver(directory, target)) if target and result.complete else result


def open_run(
    recipe: Recipe, journal: Journal, backends: Mapping[str, Backend], target: int | None
) -> tuple[Run, Built]:
    """The run of a recipe and what it is made of, nothing asked yet."""
    built = recipe.build()
    budget = Budget(built.caps)
    asked = {role: (backends.get(role, spec.backend), spec.how) for role, spec in built.models.items()}
    limiters = shared_limiters(asked)
    models = {
        role: Model(
            asked[role][0],
            journal,
            concurrency=spec.how.concurrency,
            adaptive=spec.how.adaptive,
            rates=spec.how.rates,
            attempts=spec.how.attempts,
            sampling=spec.sampling,
            policy=spec.policy,
            price=spec.price,
            budget=budget,
            limiter=limiters.get(role),
        )
        for role, spec in built.models.items()
    }
    prompts = Prompts(Path(recipe.prompts) if recipe.prompts else None)
    directory = journal.path.parent
    run = Run(models, prompts, recipe.seed, target, journal=journal, directory=directory, budget=budget)
    return run, built


def remake(recipe: Recipe, directory: Path, make: Make, watch: Watcher | None) -> Result:
    """Complete a run whose records are made otherwise than by its generator, in its directory as it is."""
    with seldom_collected():
        return wait_for(_synthesize(recipe, directory, {}, True, watch, make))


def validate(run: Run, built: Built) -> None:
    """Read prompts, seeds and whatever else is needed, so that a mistake surfaces before a token is paid for."""
    built.generator.validate(run)
    columns = built.generator.about.columns
    made = {**columns, **columns_behind(built.steps, columns)}
    if not asks(built.generator):  # rows that are there already have the columns they have
        refuse_unread(built.steps, columns, ("steps",))
        refuse_unread(built.selectors, made, ("selectors",))
    refuse_misspelt(built.steps, {*columns, *made}, ("steps",), built.selectors)
    for step in built.steps:
        if (check := getattr(step, "validate", None)) is not None:
            check(run)
    roles = [role for role in built.models if role != "default"]
    asking = {role for step in built.steps if isinstance(role := getattr(step, "role", None), str)}
    if roles and not asking.issuperset(roles):
        with contextlib.suppress(LlmsynthError, AttributeError):  # where nothing can be foretold
            asking |= {each.stage for each in built.generator.estimate(run, None)}  # its stages are its roles
        refuse_misspelt_roles(roles, asking)


async def _synthesize(
    recipe: Recipe,
    directory: Path,
    backends: Mapping[str, Backend],
    update: bool,
    watch: Watcher | None,
    make: Make,
) -> Result:
    started = time.monotonic()
    finished = inspect(recipe, directory, update)
    if finished is not None:
        return Result(directory, finished, before=True)
    made = not directory.exists()
    journal = Journal(directory / _JOURNAL)
    try:
        try:
            run, built = open_run(recipe, journal, backends, recipe.target)
            validate(run, built)
        except LlmsynthError:
            if made:  # nothing was asked yet: a mistake in a recipe leaves no trace
                journal.path.unlink()
                directory.rmdir()
            raise
        _claim(recipe, directory)
        funnel = recipe.funnel()
        heard = (lambda: watch(run)) if watch else (lambda: None)
        watching = asyncio.create_task(_watch(run, watch)) if watch else None
        try:
            await make(run, built, directory, funnel)
            came = {"complete": _is_complete(run), "missing": 0 if run.target is None else int(run.missing)}
            afterwards(built.steps, directory / "records", run)
            if built.selectors:
                from llmsynth.selection import select

                await select(built.selectors, directory / "records", run, funnel.selectors, heard)
        finally:
            await run.aclose()
            if watching:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
    finally:
        journal.close()
    from llmsynth.finish import write_results

    run.phase = "writing the dataset"
    report = {**came, **await write_results(recipe, run, built, directory, funnel, heard)}
    report["journal"] = {"answers_found": len(journal), "torn_lines": journal.torn}
    report["seconds"] = round(time.monotonic() - started, 1)
    write_file(directory / _REPORT, orjson.dumps(report, option=orjson.OPT_INDENT_2))
    run.phase = ""
    if watch:
        watch(run)
    return Result(directory, report)


def inspect(recipe: Recipe, directory: Path, update: bool) -> dict[str, Any] | None:
    """The report of a directory in which this recipe is complete already; None where it may be run.

    Raises `RunError` for a directory that holds something else. Changes nothing.
    """
    path = directory / _RECIPE
    if directory.exists() and not directory.is_dir():
        raise RunError(f"{directory} is a file", "name a directory for the run")
    if not path.is_file():
        # a run that was killed, or refused, at its very beginning leaves these
        known = {_JOURNAL, f".{_RECIPE}.partial", "vectors"}
        if directory.is_dir() and {entry.name for entry in directory.iterdir()} - known:
            raise RunError(f"{directory} is not empty and holds no run", "name a new directory")
        return None
    try:
        theirs = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError):
        theirs = None
    if not isinstance(theirs, dict):
        raise RunError(f"{path} is no recipe any more", "put it back as it was, or name a new directory")
    differences = same_result(recipe.resolved(), theirs)
    if differences and not update:
        raise RunError(
            f"{directory} belongs to another recipe: it differs in {', '.join(differences[:5])}",
            "choose another directory, or --update to go on with the new recipe:"
            " what was answered before is not asked again",
        )
    report = directory / _REPORT
    if update or not report.is_file():
        return None
    finished: dict[str, Any] = orjson.loads(report.read_bytes())
    if not finished["complete"]:
        return None
    source = finished["notes"].get("source")
    if source is not None and source["digest"] != digest_of(recipe.build().generator):
        raise RunError(
            f"{source['name']} is no longer what {directory} was made from",
            "choose another directory, or --update to make it anew: what was answered before is not asked again",
        )
    noted = {n["digest"] for name, n in finished["notes"].items() if name.startswith("decontaminate") and "digest" in n}
    if any(getattr(step, "digest", None) not in (None, *noted) for step in recipe.build().steps if noted):
        raise RunError(
            f"the benchmarks that {directory} was compared with have changed since",
            "choose another directory, or --update to compare with what they are now",
        )
    return finished


def _claim(recipe: Recipe, directory: Path) -> None:
    """Make the directory, whose journal is ours alone by now, this recipe's."""
    try:
        (directory / _REPORT).unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"cannot use {directory}: {error.strerror}", "choose one you can write to") from error
    text = yaml.safe_dump(recipe.resolved(), sort_keys=False, allow_unicode=True, width=100)
    write_file(directory / _RECIPE, text.encode("utf-8"))


async def _generate(run: Run, built: Built, directory: Path, funnel: Funnel) -> None:
    writer = _RecordWriter(directory / "records")
    raising = built.on_error == "raise"
    early = Early(run, built.selectors, built.splits.by)

    def hand_on(records: list[Record]) -> None:
        early.see(records)
        writer.write(records)

    curation = Curation(run, built.steps, hand_on, funnel, built.generator.about.batch, raising)
    run.settle = curation.settle
    try:
        async with contextlib.aclosing(built.generator.generate(run)) as records:  # type: ignore[type-var]
            async for record in records:
                await curation.take(record)
                if run.missing <= 0:
                    break
        await curation.settle()
    finally:
        await curation.aclose()
        await writer.close()
        for name, text in run.files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, text.encode("utf-8"))


class _RecordWriter:
    """Puts records into `records/`.

    What it takes to write Parquet loads in a tenth of a second: beside the run from the first record on, when the
    requests are on their way.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: list[Record] = []
        self._loading: asyncio.Future[Any] | None = None
        self._writer: RecordWriter | None = None
        self._flushed = time.monotonic()

    def write(self, records: list[Record]) -> None:
        self._held.extend(records)
        if self._loading is None:
            self._loading = asyncio.get_running_loop().run_in_executor(None, importlib.import_module, "llmsynth.finish")
        if self._loading.done():
            self._write()

    async def close(self) -> None:
        if self._loading is not None:
            await asyncio.wait((self._loading,))
        self._write().close()

    def _write(self) -> RecordWriter:
        if self._writer is None:
            from llmsynth.dataset import RecordWriter

            self._writer = RecordWriter(self._folder)
        self._writer.write(self._held)
        self._held.clear()
        if time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self._flushed = time.monotonic()
            self._writer.flush()
        return self._writer


def _is_complete(run: Run) -> bool:
    """Whether all that was wanted is there: the target, or where there is none, that of what made the seeds."""
    seeds = run.notes.get("seeds")
    short = isinstance(seeds, dict) and seeds["short"] > 0
    return not run.tally.failed and (run.missing == 0 or (run.target is None and not short))


async def _watch(run: Run, watch: Watcher) -> None:
    while True:
        watch(run)
        await asyncio.sleep(0.25)


def write_file(path: Path, data: bytes) -> None:
    """Put a whole file in place at once. Raises `StorageError`."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with open(partial, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        why = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror
        raise StorageError(f"cannot write {path}: {why}", "make room and run the same command again") from error
