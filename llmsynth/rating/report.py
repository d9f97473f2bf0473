"""What the ratings of a folder come to: means, agreement, preference, each with how sure it is."""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llmsynth.agreement import Level, accuracy, alphas, cohen_kappa, coincidences, mark_agreement, weighted_kappa
from llmsynth.errors import RunError
from llmsynth.intervals import bootstrap, bootstrap_mean, wilson
from llmsynth.rating.entries import Source
from llmsynth.rating.log import FOLDER, Line, file_name, read_logs, standing
from llmsynth.rating.study import Study, study_of
from llmsynth.rubric import Rubric

OVERALL = "overall"
_WORTH = {"run": 1.0, "tie": 0.5, "against": 0.0}
_LEVELS: tuple[Level, ...] = ("nominal", "ordinal", "interval")
_Scores = Mapping[str, Mapping[str, float]]  # by the key of a row
_Table = dict[str, dict[str, float | None]]  # value by item, by rater


def report(home: Path) -> dict[str, Any]:
    """All studies that were rated in a folder, ratings under way included.

    What is rated is read again for its scores, where it still is where it was. Raises `RunError` without any rating.
    """
    logs = read_logs(home)
    studies = _studies(logs)
    told = []
    for study in studies:
        given = {rater: standing(lines, study.id) for rater, lines in logs.items()}
        given = {rater: lines for rater, lines in given.items() if lines}
        if given:
            told.append(_told(home, study, {_name(rater, lines): lines for rater, lines in given.items()}))
    if not told:
        raise RunError(f"{home / FOLDER} holds no rating", "`llmsynth rate` serves the page to rate on")
    return {"studies": told}


def _studies(logs: Mapping[str, Sequence[Line]]) -> list[Study]:
    found: dict[str, Study] = {}
    for line in itertools.chain.from_iterable(logs.values()):
        if "about" in line and line.get("study") not in found:
            try:
                found[line["study"]] = study_of(line["about"])
            except (KeyError, TypeError, ValueError) as error:
                raise RunError(f"{FOLDER}: a study there cannot be read: {error}", "restore the file") from error
    return list(found.values())


def _told(home: Path, study: Study, given: dict[str, dict[str, Line]]) -> dict[str, Any]:
    seen: Counter[str] = Counter(item for lines in given.values() for item in lines)
    rated = {
        rater: {item: line for item, line in lines.items() if "skip" not in line} for rater, lines in given.items()
    }
    items: Counter[str] = Counter(item for lines in rated.values() for item in lines)
    about = study.told()
    about["criteria"] = [criterion["name"] for criterion in about["criteria"]]
    told: dict[str, Any] = {
        "id": study.id,
        **about,
        "raters": {rater: _rater(lines) for rater, lines in given.items()},
        "ratings": items.total(),
        "skipped": seen.total() - items.total(),
        "items": len(items),
        "rated_by_several": sum(count > 1 for count in items.values()),
    }
    rows = {row for lines in rated.values() for line in lines.values() for row in line["rows"]}
    ours = _scores(home / study.source, rows, study.on)
    if study.kind == "rows":
        return told | _marks_told(study.rubric, rated, ours)
    return told | _preference_told(rated, ours, _scores(home / study.against, rows, study.on))


def _name(file: str, lines: Mapping[str, Line]) -> str:
    """As the rater wrote it last; two files whose names differ never come to one name, as the file's is the same."""
    written = list(lines.values())[-1].get("rater")
    return written if isinstance(written, str) and file_name(written) == file else file


def _rater(lines: Mapping[str, Line]) -> dict[str, Any]:
    skipped = sum("skip" in line for line in lines.values())
    seconds = [line["seconds"] for line in lines.values() if line.get("seconds")]
    return {
        "ratings": len(lines) - skipped,
        "skipped": skipped,
        "seconds": round(statistics.median(seconds), 1) if seconds else None,
        "comments": sum(bool(line.get("comment")) for line in lines.values()),
    }


def _scores(path: Path, rows: set[str], on: tuple[str, ...]) -> dict[str, Mapping[str, float]]:
    """The scores of the rows that were rated; none where the source is gone."""
    if not path.exists():
        return {}
    return {entry.key: entry.scores for entry in Source(path, on).entries() if entry.scores and entry.key in rows}


def _marks_told(rubric: Rubric, rated: dict[str, dict[str, Line]], scores: _Scores) -> dict[str, Any]:
    tables: dict[str, _Table] = {
        name: {rater: {item: line["marks"].get(name) for item, line in lines.items()} for rater, lines in rated.items()}
        for name in rubric.names
    }
    overall: _Table = {
        rater: {
            item: rubric.overall({name: line["marks"].get(name) for name in rubric.names})
            for item, line in lines.items()
        }
        for rater, lines in rated.items()
    }
    marks = {name: _marks(table) for name, table in tables.items()}
    if len(rubric.names) > 1:
        marks[OVERALL] = _marks(overall, ("interval",))
    judged = _judges(rubric, {**tables, OVERALL: overall}, scores)
    return {"marks": marks} | ({"scores": judged} if judged else {})


def _marks(table: _Table, levels: Sequence[Level] = _LEVELS) -> dict[str, Any]:
    means = _means(table)
    values = [value for marks in table.values() for value in marks.values() if value is not None]
    interval = bootstrap_mean(list(means.values())) if means else None
    told: dict[str, Any] = {
        "items": len(means),
        "ratings": len(values),
        "missing": sum(len(marks) for marks in table.values()) - len(values),
        "mean": _short(statistics.fmean(means.values()) if means else None),
        "interval": _pair(interval),
        "by_rater": {rater: _rater_mean(marks) for rater, marks in table.items()},
    }
    if levels == _LEVELS:
        told["counts"] = {str(value): count for value, count in sorted(Counter(values).items())}
    return told | _agreement(table, levels, with_kappa=levels == _LEVELS)


def _rater_mean(marks: Mapping[str, float | None]) -> float | None:
    given = [mark for mark in marks.values() if mark is not None]
    return _short(statistics.fmean(given)) if given else None


def _means(table: _Table) -> dict[str, float]:
    """The mean of each item over those who marked it."""
    marks: dict[str, list[float]] = {}
    for given in table.values():
        for item, mark in given.items():
            if mark is not None:
                marks.setdefault(item, []).append(mark)
    return {item: statistics.fmean(values) for item, values in marks.items()}


def _agreement(table: _Table, levels: Sequence[Level], with_kappa: bool = True) -> dict[str, Any]:
    """Krippendorff's alpha by level, and Cohen's kappa of each two raters; empty for one rater."""
    if len(table) < 2:
        return {}
    items = list(dict.fromkeys(item for marks in table.values() for item in marks))
    values, tables = coincidences([[marks.get(item) for marks in table.values()] for item in items])
    flat = tables.reshape(len(tables), -1)
    found: dict[str, Any] = {}
    for level in levels:

        def resampled(drawn: Any, level: Level = level) -> Any:
            return alphas((drawn @ flat).reshape(-1, *tables.shape[1:]), values, level)

        value = float(alphas(tables.sum(axis=0), values, level)) if len(tables) else float("nan")
        known = not np.isnan(value)
        interval = bootstrap(resampled, len(tables)) if known else None
        found[level] = {"value": _short(value if known else None), "interval": _pair(interval)}
    told: dict[str, Any] = {"alpha_items": len(tables), "alpha": found}
    if with_kappa:
        told["kappa"] = [_kappa(table, a, b) for a, b in itertools.combinations(table, 2)]
    return told


def _kappa(table: _Table, a: str, b: str) -> dict[str, Any]:
    theirs = ((x, table[b].get(item)) for item, x in table[a].items())
    both = [(x, y) for x, y in theirs if x is not None and y is not None]
    left, right = [x for x, _ in both], [y for _, y in both]
    return {
        "raters": [a, b],
        "items": len(both),
        "equal": _short(accuracy(left, right)),
        "cohen_kappa": _short(cohen_kappa(left, right)),
        "weighted_kappa": _short(weighted_kappa(left, right)),
    }


def _judges(rubric: Rubric, tables: Mapping[str, _Table], scores: _Scores) -> dict[str, Any]:
    """How the scores of the run go with people's marks.

    A score that ends in a criterion's name is held against that criterion, and what stands before it is a judge, whose
    own name is its overall mark: both are on the rubric's scale. Of other scores the scale is not known, so that only
    their correlation with the overall mark is told.
    """
    means = {name: _means(table) for name, table in tables.items()}
    names = sorted({name for of_row in scores.values() for name in of_row})
    judges = {
        name.removesuffix(f"_{criterion}")
        for name in names
        for criterion in rubric.names
        if name.endswith(f"_{criterion}")
    }
    told = {}
    for name in names:
        criterion = next((c for c in rubric.names if name.endswith(f"_{c}")), OVERALL)
        people = means[criterion]
        pairs = [(mark, scores[item][name]) for item, mark in people.items() if name in scores.get(item, {})]
        pairs = [(mark, score) for mark, score in pairs if np.isfinite(score)]
        found = mark_agreement([mark for mark, _ in pairs], [score for _, score in pairs])
        known = found if criterion != OVERALL or name in judges else {k: found[k] for k in ("spearman", "pearson")}
        told[name] = {"of": criterion, "rows": len(pairs), **{key: _short(value) for key, value in known.items()}}
    return told


def _preference_told(rated: dict[str, dict[str, Line]], ours: _Scores, theirs: _Scores) -> dict[str, Any]:
    table: _Table = {
        rater: {item: _WORTH[line["prefers"]] for item, line in lines.items()} for rater, lines in rated.items()
    }
    means = _means(table)
    said = Counter(line["prefers"] for lines in rated.values() for line in lines.values())
    by_item = {
        item: _majority([worth for marks in table.values() if (worth := marks.get(item)) is not None]) for item in means
    }
    verdicts = Counter(by_item.values())
    left = Counter(line["choice"] for lines in rated.values() for line in lines.values())
    wins, losses = verdicts["run"], verdicts["against"]
    preference = {
        "wins": wins,
        "losses": losses,
        "ties": verdicts["tie"],
        "tie_rate": _short(verdicts["tie"] / len(means) if means else None),
        "win_rate": _short(wins / (wins + losses) if wins + losses else None),
        "interval": _pair(wilson(wins, wins + losses)),
        "score": _short(statistics.fmean(means.values()) if means else None),
        "score_interval": _pair(bootstrap_mean(list(means.values())) if means else None),
        "ratings": {verdict: said[verdict] for verdict in _WORTH},
        "left_rate": _short(left["left"] / (left["left"] + left["right"]) if left["left"] + left["right"] else None),
        "left_interval": _pair(wilson(left["left"], left["left"] + left["right"])),
    }
    rows = {item: line["rows"] for lines in rated.values() for item, line in lines.items()}
    judged = _judged_pairs(by_item, rows, ours, theirs)
    agreement = _agreement(table, ("nominal", "ordinal"))
    return {"preference": preference} | agreement | ({"scores": judged} if judged else {})


def _majority(worths: Sequence[float]) -> str:
    """What more raters prefer; a tie where as many prefer either, whoever called it a tie."""
    balance = sum(worth - 0.5 for worth in worths)
    return "run" if balance > 0 else "against" if balance < 0 else "tie"


def _judged_pairs(
    verdicts: Mapping[str, str], rows: Mapping[str, Sequence[str]], ours: _Scores, theirs: _Scores
) -> dict[str, Any]:
    """Of each score that both sides have: how often the higher one is where people's preference is."""
    told: dict[str, Any] = {}
    names = {name for of_row in ours.values() for name in of_row} & {
        name for of_row in theirs.values() for name in of_row
    }
    for name in sorted(names):
        agree = against = equal = 0
        for item, verdict in verdicts.items():
            a, b = (scores.get(row, {}).get(name) for scores, row in zip((ours, theirs), rows[item], strict=True))
            if verdict == "tie" or a is None or b is None or not np.isfinite(a - b):
                continue
            if a == b:
                equal += 1
            elif (a > b) == (verdict == "run"):
                agree += 1
            else:
                against += 1
        told[name] = {
            "pairs": agree + against,
            "agree": _short(agree / (agree + against) if agree + against else None),
            "interval": _pair(wilson(agree, agree + against)),
            "equal_scores": equal,
        }
    return told


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _pair(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else [round(end, 4) for end in interval]
