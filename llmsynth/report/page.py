"""The file of a report: what browsers run is ours and named by its hash, what comes from the data is only read."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import yaml

import llmsynth
from llmsynth.dataset import read_records
from llmsynth.diversity_report import diversity
from llmsynth.embed.static import StaticEmbedder
from llmsynth.recipe import publishable
from llmsynth.report.answers import Answers
from llmsynth.report.blobs import Blobs, Lines
from llmsynth.report.gathered import NO_LABEL, Gathered
from llmsynth.report.people import ratings_told
from llmsynth.report.projection import neighbours_of, project
from llmsynth.report.reading import reading_of
from llmsynth.report.survey import Array, Survey

FOLDER = Path(llmsynth.__file__).parent / "data/report"
SCRIPTS = (
    "echarts.min.js",
    "data.js",
    "elements.js",
    "charts.js",
    "map.js",
    "rows.js",
    "detail.js",
    "people.js",
    "compare.js",
    "page.js",
)
_LISTED = 8  # nearest neighbours that the page lists
_AROUND = 400_000  # bytes that index and counts take besides what is counted for each row
_INDEX_BYTES = 60  # that a row takes in the index, at most
_SHARE_OF_ROWS = 0.65  # of the room, where the answers do not fit as well


@dataclass(frozen=True, slots=True)
class OpenedRun:
    """A finished run on disk: its directory, its report and its recipe as data."""

    directory: Path
    report: dict[str, Any]
    recipe: dict[str, Any]

    @classmethod
    def of(cls, directory: Path) -> OpenedRun:
        recipe = yaml.safe_load((directory / "recipe.yaml").read_text(encoding="utf-8"))
        return cls(directory, json.loads((directory / "report.json").read_bytes()), recipe)

    def survey(self) -> Survey:
        reading, records = reading_of(read_records(self.directory / "records"))
        return Survey.of(records, reading, self.recipe.get("categories") or ())

    def told(self, survey: Survey) -> dict[str, Any]:
        """What the page says of the run besides its rows."""
        stages: dict[str, list[str]] = {}
        for stage in self.report["funnel"]:
            for reason in (*stage["dropped"], *stage["failed"]):
                stages.setdefault(reason, []).append(stage["stage"])
        notes = dict(self.report.get("notes", {}))
        return {
            "name": str(self.recipe.get("name", self.directory.name)),
            "directory": self.directory.resolve().name,
            "report": self.report | {"notes": notes},
            "recipe": yaml.safe_dump(publishable(self.recipe), sort_keys=False, allow_unicode=True, width=88),
            "columns": survey.reading.columns,
            "instruction": survey.reading.instruction,
            "stages": stages,
            "people": ratings_told(self.directory),
            **survey.told(),
        }


def compose(file: BinaryIO, runs: list[OpenedRun], most_rows: int, most_bytes: int) -> tuple[int, int, int, int]:
    """Write the page of these runs; returns how many rows and answers it holds, each with how many there are."""
    title = " and ".join(str(run.recipe.get("name", run.directory.name)) for run in runs)
    head, foot = _around(title)
    surveys = [run.survey() for run in runs]
    room = most_bytes - len(head) - len(foot) - _AROUND
    file.write(head)
    blobs = Blobs(file)
    lines, labels = Lines(blobs, "rows"), _label_values(surveys)
    gathered = Gathered(lines, labels)
    flags = []
    numbered: list[Answers] = []
    for run, survey in zip(runs, surveys, strict=True):
        numbered.append(Answers(run.directory / "journal.jsonl", sum(map(len, numbered))))
        flags.append(_held(survey, most_rows // len(runs), room / len(runs), numbered[-1].expected()))
        gathered.take(read_records(run.directory / "records"), survey, flags[-1], numbered[-1])
    lines.close()
    index, near = _index(gathered, surveys, flags)
    arrays = blobs.add_arrays("index", index)
    near_arrays = blobs.add_arrays("near", near)
    blobs.add_json("pairs", gathered.pairs)
    replies = Lines(blobs, "answers")
    left = room - blobs.size
    held = [answers.write(replies, left * len(answers) / max(1, sum(map(len, numbered)))) for answers in numbered]
    replies.close()
    told = {
        "runs": [
            run.told(survey) | {"here": int(flag.sum())} for run, survey, flag in zip(runs, surveys, flags, strict=True)
        ],
        "labels": [[name, values] for name, values in labels.items()],
        "rows": {"count": lines.count, "starts": list(lines.starts), "arrays": arrays, "near": near_arrays},
        "answers": {"count": replies.count, "here": sum(held), "starts": list(replies.starts)},
        "version": llmsynth.__version__,
    }
    if len(runs) > 1:
        told["compared"] = _compared(surveys)
    blobs.add_json("told", told)
    file.write(foot)
    return lines.count, sum(map(len, surveys)), sum(held), sum(map(len, numbered))


def _held(survey: Survey, most: int, room: float, answers: float) -> Array:
    """Which rows of a run the page holds, where its answers would take so many bytes of the room: a flag for each."""
    count = min(most, len(survey))
    room -= _INDEX_BYTES * count
    return survey.rows(count, max(room - answers, _SHARE_OF_ROWS * room))


def _index(gathered: Gathered, surveys: list[Survey], flags: list[Array]) -> tuple[dict[str, Array], dict[str, Array]]:
    """The columns that the page holds of all its rows at once, and the neighbours of each."""
    vectors = gathered.vectors()
    neighbours = neighbours_of(vectors)
    places = np.rint(project(vectors, neighbours) * 65_535).astype(np.uint16)
    index: dict[str, Array] = {
        "x": places[:, 0],
        "y": places[:, 1],
        "run": np.repeat(np.arange(len(flags)), [int(flag.sum()) for flag in flags]).astype(np.uint8),
        "state": np.concatenate([s.states_of(f) for s, f in zip(surveys, flags, strict=True)]).astype(np.uint16),
        "asked": np.concatenate([s.asked(f) for s, f in zip(surveys, flags, strict=True)]).astype(np.uint32),
        "answered": np.concatenate([s.answered(f) for s, f in zip(surveys, flags, strict=True)]).astype(np.uint32),
    }
    for number, codes in enumerate(gathered.labels.values()):
        index[f"label{number}"] = np.asarray(codes, np.uint8)
    width = min(_LISTED, neighbours.places.shape[1])
    near: dict[str, Array] = {
        "places": neighbours.places[:, :width].ravel().astype(np.uint32),
        "cosines": np.rint(np.clip(neighbours.cosines[:, :width], 0, 1) * 255).ravel().astype(np.uint8),
    }
    return index, near


def _label_values(surveys: list[Survey]) -> dict[str, list[str]]:
    """The values of each label, the commonest first, as many as a byte can tell."""
    together: dict[str, Counter[str]] = {}
    for survey in surveys:
        for name, counts in survey.labels().items():
            together.setdefault(name, Counter()).update(counts)
    return {name: [value for value, _ in counts.most_common(NO_LABEL)] for name, counts in together.items()}


def _compared(surveys: list[Survey]) -> dict[str, Any]:
    """What two runs have in common, and how varied each is, on equal terms."""
    texts = {str(number): survey.sample.texts() for number, survey in enumerate(surveys)}
    embedder = StaticEmbedder()
    vectors = {name: embedder.vectors(members) for name, members in texts.items()}
    return {
        "shared": [surveys[0].shared(surveys[1]), surveys[1].shared(surveys[0])],
        "diversity": diversity(texts, vectors),
    }


def _around(title: str) -> tuple[bytes, bytes]:
    """The page before its data and after it."""
    style = (FOLDER / "report.css").read_text(encoding="utf-8")
    echarts, *ours = [(FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS]
    scripts = [echarts, '"use strict";\n' + "\n".join(ours)]
    markup = (FOLDER / "report.html").read_text(encoding="utf-8")
    hashes = " ".join(map(_hash, scripts))
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src {_hash(style)}; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )
    before, after = markup.split("<!-- data -->")
    head = before.replace("{{policy}}", policy).replace("{{style}}", style).replace("{{title}}", html.escape(title))
    code = "\n".join(f"<script>{script}</script>" for script in scripts)
    return head.encode("utf-8", "replace"), after.replace("{{scripts}}", code).encode()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
