"""`Plan`: what a push would change, file by file, and how to say it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from llmsynth.errors import PublishError
from llmsynth.publish.hub import Remote, There, in_words
from llmsynth.publish.shards import Numbered, configs_of, matching, patterns_of
from llmsynth.publish.source import CARD, RECIPE, Shard, Source, header_of

OTHER_RECIPES = "recipe-*.yaml"  # of rows that were added later


@dataclass(frozen=True)
class Plan:
    """One commit.

    send: shards by path in the repository. texts: small files that are new or changed. moves: from path to path, for
    shards that are there and get another number. there: what is there already as it should be.
    """

    send: Mapping[str, Shard] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    moves: tuple[tuple[str, str], ...] = ()
    deleted: tuple[str, ...] = ()
    there: tuple[str, ...] = ()
    replaced: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        return bool(self.send or self.texts or self.moves or self.deleted)

    @property
    def size(self) -> int:
        return sum(shard.size for shard in self.send.values()) + sum(len(t.encode()) for t in self.texts.values())

    def lines(self) -> list[str]:
        """Every file, with its size and what becomes of it."""
        sizes = {path: shard.size for path, shard in self.send.items()}
        sizes |= {path: len(text.encode()) for path, text in self.texts.items()}
        lines = [
            ("replace" if path in self.replaced else "add", path, in_words(size))
            for path, size in sorted(sizes.items())
        ]
        lines += [("rename", f"{old} -> {new}", "") for old, new in self.moves]
        lines += [("delete", path, "") for path in self.deleted]
        lines += [("keep", path, "") for path in self.there]
        width = max((len(path) for _, path, _ in lines), default=0)
        return [f"{what:<8} {path:<{width}}  {size:>10}".rstrip() for what, path, size in lines]


def whole(source: Source, repo: str, remote: Remote | None, published: str) -> Plan:
    """The repository is to hold this dataset, in place of the one it holds.

    published: the card that is there; what people have changed in it stays. Files that are no part of a dataset stay.
    """
    from llmsynth.cards.merging import merge

    files = remote.files if remote else {}
    fresh = source.card_for(repo)
    texts = {CARD: merge(published, fresh) if published else fresh}
    if source.recipe:
        texts[RECIPE] = source.recipe
    shards = {shard.path: shard for shard in source.shards}
    send = {path: shard for path, shard in shards.items() if not same(shard, files.get(path))}
    changed = {path: text for path, text in texts.items() if not _same_text(text, files.get(path))}
    return Plan(
        send,
        changed,
        deleted=tuple(_stale(files, {*shards, *texts}, published, texts[CARD])),
        there=tuple(sorted({*shards, *texts} - {*send, *changed})),
        replaced=frozenset(files) & {*send, *changed},
    )


def same(shard: Shard, there: There | None) -> bool:
    """Whether a shard is what is there. Reads it only where that cannot be told from its size."""
    if there is None or there.size != shard.size:
        return False
    return shard.sha256 == there.sha256 if there.sha256 else shard.blob == there.blob


def written(remote: Remote | None) -> set[str]:
    """The files there but for what the Hub puts there itself, and a card, of which all is kept: a dataset, maybe."""
    return set(remote.files) - {".gitattributes", ".gitignore", CARD} if remote else set()


def refuse_written(plan: Plan, repo: str, remote: Remote | None) -> None:
    """Raise `PublishError` where something is there that nobody said may be changed."""
    if (files := written(remote)) and plan.changes:
        raise PublishError(
            f"{repo} is there already, with {len(files)} file{'' if len(files) == 1 else 's'} in it",
            "--append adds these rows to it, --overwrite replaces its rows, --pr proposes that to its owner;"
            " what people wrote in its card stays. --dry-run tells what would change.",
        )


def _stale(files: Iterable[str], new: set[str], published: str, merged: str) -> list[str]:
    """The files of the dataset that was there: shards, and recipes. Files of configs that stay are not."""
    before, after = configs_of(header_of(published)), configs_of(header_of(merged))
    rest = [path for path in files if path not in new]
    ours = {shard.stem for path in new if (shard := Numbered.read(path))}
    foreign = [patterns for splits in after.values() for patterns in splits.values() if not matching(new, patterns)]
    stale = set(matching(rest, patterns_of(before))) | set(matching(rest, patterns_of(after)))
    stale |= {path for path in rest if (shard := Numbered.read(path)) and shard.stem in ours}
    stale -= {path for patterns in foreign for path in matching(rest, patterns)}  # somebody added them by hand
    stale |= {path for path in rest if path == RECIPE or fnmatchcase(path, OTHER_RECIPES)}
    return sorted(stale - {CARD})


def _same_text(text: str, there: There | None) -> bool:
    content = text.encode()
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    return there is not None and there.blob == blob
