"""The report of ratings for people to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def report_lines(told: Mapping[str, Any]) -> list[str]:
    """What `report` told, study by study."""
    lines: list[str] = []
    for study in told["studies"]:
        lines += ["", *_study(study)] if lines else _study(study)
    return lines


def _study(study: Mapping[str, Any]) -> list[str]:
    lines = [_title(study)]
    for name, rater in study["raters"].items():
        comments = f", {rater['comments']} with a comment" if rater["comments"] else ""
        pace = f", {rater['seconds']} s each" if rater["seconds"] else ""
        lines.append(f"  {name}: {rater['ratings']} rated, {rater['skipped']} skipped{comments}{pace}")
    what = "rows" if study["kind"] == "rows" else "pairs"
    lines.append(f"  {study['items']} {what}, {study['rated_by_several']} of them rated by several people")
    if "marks" in study:
        lines += _marks(study["marks"])
        lines += _kappas({name: marks.get("kappa", []) for name, marks in study["marks"].items()})
    else:
        lines += _preference(study)
    return lines + _scores(study)


def _title(study: Mapping[str, Any]) -> str:
    source = _source(study)
    if study["kind"] == "rows":
        return f"rows of {source}, marked from {study['least']} to {study['most']} by {study['rubric']}"
    paired = "by their question" if study["pairing"] == "same" else "at random"
    return f"{source} against {study['against']}, paired {paired}"


def _source(study: Mapping[str, Any]) -> str:
    return "the run" if study["source"] == "." else str(study["source"])


def _marks(marks: Mapping[str, Any]) -> list[str]:
    width = max(len("criterion"), *map(len, marks))
    lines = [f"  {'criterion':<{width}}  mean  95 % interval   not judged"]
    for name, told in marks.items():
        lines.append(
            f"  {name:<{width}}  {_number(told['mean']):>4}  {_ends(told['interval']):<14}  {told['missing']:>10}"
        )
    for name, told in marks.items():
        if "alpha" in told:
            lines.append(f"  {name:<{width}}  Krippendorff's alpha: {_alphas(told)}")
    return lines


def _alphas(told: Mapping[str, Any]) -> str:
    found = [
        f"{level} {_number(alpha['value'])}" + (f" ({_ends(alpha['interval'])})" if alpha["interval"] else "")
        for level, alpha in told["alpha"].items()
    ]
    return f"{', '.join(found)}; of {told['alpha_items']} items"


def _kappas(by_name: Mapping[str, Any]) -> list[str]:
    return [
        f"  {name}, {' and '.join(pair['raters'])} on {pair['items']}: equal {_share(pair['equal'])},"
        f" Cohen's kappa {_number(pair['cohen_kappa'])}, weighted {_number(pair['weighted_kappa'])}"
        for name, kappas in by_name.items()
        for pair in kappas
    ]


def _preference(study: Mapping[str, Any]) -> list[str]:
    told = study["preference"]
    decided = told["wins"] + told["losses"]
    lines = [
        f"  {_source(study)} is preferred in {_share(told['win_rate'])} of {decided} decided pairs"
        f" (95 %: {_shares(told['interval'])}); {told['ties']} of {decided + told['ties']} pairs are ties",
        f"  with ties as half: {_share(told['score'])} (95 %: {_shares(told['score_interval'])})",
        f"  the left side was chosen in {_share(told['left_rate'])} (95 %: {_shares(told['left_interval'])})",
    ]
    if "alpha" in study:
        lines.append(f"  Krippendorff's alpha: {_alphas(study)}")
    return lines + _kappas({"preference": study.get("kappa", [])})


def _scores(study: Mapping[str, Any]) -> list[str]:
    lines = []
    for name, told in study.get("scores", {}).items():
        if study["kind"] == "pairs":
            lines.append(
                f"  score {name}: higher on the preferred side in {_share(told['agree'])} of {told['pairs']} pairs"
                f" (95 %: {_shares(told['interval'])}), {told['equal_scores']} with equal scores"
            )
            continue
        known = [
            f"{key.replace('_', ' ')} {_number(value)}"
            for key, value in told.items()
            if key not in ("of", "rows") and value is not None
        ]
        lines.append(f"  score {name} against people's {told['of']}, {told['rows']} rows: {', '.join(known) or 'none'}")
    return lines


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _ends(interval: list[float] | None) -> str:
    return "–" if interval is None else f"{interval[0]:.2f} to {interval[1]:.2f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _shares(interval: list[float] | None) -> str:
    return "–" if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f} %"
