"""`added`: the rows of one dataset, put behind those of another that is published already."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from llmsynth.errors import PublishError
from llmsynth.publish.growth import grown_card
from llmsynth.publish.hub import Remote
from llmsynth.publish.plan import Plan, same
from llmsynth.publish.shards import Numbered, configs_of, matching
from llmsynth.publish.source import CARD, RECIPE, Shard, Source, header_of


def added(source: Source, repo: str, remote: Remote, published: str, recipes: Mapping[str, str]) -> Plan:
    """What to change so that the repository holds its rows and these.

    published: the card that is there. recipes: those that are there, by path. Raises `PublishError` where the two
    datasets don't go together.
    """
    header = header_of(published)
    mine, theirs = configs_of(source.header), configs_of(header)
    counts = infos_of(source.header)
    if not mine or not all(_counted(counts.get(config, {})) for config in mine):
        raise PublishError(
            f"the card in {source.folder} does not tell the columns, files and counts of its rows",
            "they are added to those of the card that is there: the command that made the rows writes them again",
        )
    _refuse_strangers(repo, source.header, header)
    there = _there(source.shards, remote)
    if len(there) == len(source.shards):
        return Plan(there=tuple(there))
    if there or any(_is_grown(source.recipe, recipe) for recipe in recipes.values()):
        raise PublishError(
            f"{repo} holds rows of this run already, and would hold them twice",
            "--overwrite puts the run as it is now in their place, and sends only the files that are new",
        )
    send: dict[str, Shard] = {}
    moves: list[tuple[str, str]] = []
    patterns: dict[str, dict[str, tuple[str, ...]]] = {}
    shards = {shard.path: shard for shard in source.shards}
    for config, splits in mine.items():
        for split, wanted in splits.items():
            old = matching(remote.files, theirs[config].get(split, ()))
            numbered, moved = _numbered(
                old, [shards[path] for path in matching(shards, wanted)], {*remote.files, *send}
            )
            send |= numbered
            moves += moved
            if not theirs[config].get(split) or set(numbered) - set(matching(numbered, theirs[config][split])):
                patterns.setdefault(config, {})[split] = wanted
    recipe = _free_name({*remote.files}) if source.recipe else ""
    texts = {recipe: source.recipe} if recipe else {}
    card, notes = grown_card(published, source, recipe, patterns)
    return Plan(
        send,
        {CARD: card, **texts},
        tuple(moves),
        there=tuple(sorted(set(remote.files) - {old for old, _ in moves} - {CARD, ".gitattributes"})),
        replaced=frozenset({CARD}),
        notes=notes,
    )


def infos_of(header: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What `dataset_info` says, by config."""
    info = header.get("dataset_info")
    entries = info if isinstance(info, list) else [info]
    return {str(e.get("config_name", "default")): dict(e) for e in entries if isinstance(e, Mapping)}


def _refuse_strangers(repo: str, mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    """Raise `PublishError` unless each config of ours is there, with the same columns."""
    known, configs = infos_of(theirs), configs_of(theirs)
    for config, info in infos_of(mine).items():
        if config not in known or config not in configs or not _counted(known[config]):
            raise PublishError(
                f"the card of {repo} does not tell the columns, files and counts of a config {config!r}",
                "rows can only be added to what is known: --overwrite replaces the dataset",
            )
        ours, others = (_by_name(one["features"]) for one in (info, known[config]))
        if ours != others:
            names = sorted(name for name in {*ours, *others} if ours.get(name) != others.get(name))
            what = ", ".join(
                f"{name} is {_kind(others.get(name))} there, {_kind(ours.get(name))} here" for name in names[:3]
            )
            raise PublishError(
                f"the columns of {repo} are others: {what}",
                "rows of one config have the same columns: choose another repository",
            )


def _counted(info: Mapping[str, Any]) -> bool:
    """Whether `dataset_info` says of a config what can be added to."""
    splits = info.get("splits")
    wanted = {"name", "num_bytes", "num_examples"}
    return isinstance(info.get("features"), list) and isinstance(splits, list) and all(wanted <= {*s} for s in splits)


def _there(shards: Iterable[Shard], remote: Remote) -> list[str]:
    """The paths in the repository of the shards that are there, under whatever name."""
    by_size: dict[int, list[str]] = {}
    for path, file in remote.files.items():
        by_size.setdefault(file.size, []).append(path)
    places = [[p for p in by_size.get(shard.size, ()) if same(shard, remote.files[p])] for shard in shards]
    return [paths[0] for paths in places if paths]


def _numbered(old: list[str], new: list[Shard], taken: set[str]) -> tuple[dict[str, Shard], list[tuple[str, str]]]:
    """Names for the shards of one split that come, and new ones for those there, as all tell how many there are."""
    parts = [Numbered.read(path) for path in old]
    coming = [Numbered.read(shard.path) for shard in new]
    total = len(old) + len(new)
    stems = {part.stem if part else "" for part in (*parts, *coming)}
    if len(stems) == 1 and "" not in stems:
        [stem] = stems
        names = [str(Numbered(stem, number, total)) for number in range(total)]
        moves = [(path, name) for path, name in zip(old, names, strict=False) if path != name]
        if not taken & {*(name for _, name in moves), *names[len(old) :]}:
            return dict(zip(names[len(old) :], new, strict=True)), moves
    # files that somebody else has named keep their names
    sent: dict[str, Shard] = {}
    for shard in new:
        name, number = shard.path, 2
        while name in taken or name in sent:
            name, number = shard.path.replace(".parquet", f"-{number}.parquet"), number + 1
        sent[name] = shard
    return sent, []


def _is_grown(recipe: str, published: str) -> bool:
    """Whether a recipe is a published one that was only asked for more, or fewer, rows."""
    ours, theirs = (_without_target(text) for text in (recipe, published))
    return ours is not None and ours == theirs


def _without_target(recipe: str) -> Any:
    try:
        data = copy.deepcopy(yaml.safe_load(recipe))
    except yaml.YAMLError:
        return None
    if isinstance(data, dict):
        data.pop("target", None)
    return data


def _free_name(taken: set[str]) -> str:
    number = 2
    while (name := f"recipe-{number}.yaml") in taken:
        number += 1
    return name if RECIPE in taken or number > 2 else RECIPE


def _by_name(features: Any) -> dict[str, Any]:
    return {
        str(entry.get("name")): {key: value for key, value in entry.items() if key != "name"}
        for entry in (features if isinstance(features, list) else ())
        if isinstance(entry, Mapping)
    }


def _kind(feature: Any) -> str:
    if feature is None:
        return "missing"
    return str(feature.get("dtype") or next(iter(feature), "of no type"))
