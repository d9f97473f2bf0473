"""The cards of whole runs: what they tell of models, licences, checks and cost, what their owner adds, and the Hub's
own opinion of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from huggingface_hub import DatasetCard, DatasetCardData

from llmsynth import FakeBackend, Recipe, Request, synthesize
from llmsynth.cards.gathering import days_of
from llmsynth.errors import RecipeError
from llmsynth.synthesis import Result
from tests.chained import teacher as chained
from tests.evolving import Evolver, rows_file
from tests.professor import small_taxonomy
from tests.scripted import seed_file, varied

WORDS = {
    "summary": "Tasks for the school in Bala.",
    "intended_use": "Training small models.\n\n- in Welsh\n- at home",
    "out_of_scope": "Marking exams.",
    "bias": "All names are Welsh.",
    "validated": "Two teachers read 50 rows and found 3 wrong.",
    "maintenance": "Twice a year.",
    "contact": "nia@example.org",
    "model_terms": "Read on 1 May: no limits.",
    "limits": "No arithmetic beyond 100.",
    "source_datasets": ["nia/tasks"],
    "tags": ["cymraeg"],
}


def run(folder: Path, generator: dict[str, Any], model: Any, **more: Any) -> Result:
    data = {
        "name": "Tasgau",
        "generator": generator,
        "models": {"default": {"use": "fake", "function": "tests.plugins:last_words"}},
        **more,
    }
    return synthesize(Recipe.from_data(data), folder, backends={"default": FakeBackend(model)})


def card(result: Result) -> str:
    return (result.dataset / "README.md").read_text(encoding="utf-8")


def header(result: Result) -> dict[str, Any]:
    return vars(DatasetCard.load(result.dataset / "README.md").data)


def section(text: str, name: str) -> str:
    return text.split(f"# {name}\n")[1].split("\n<!-- /llmsynth")[0]


def evol(folder: Path, rows: Any = 6, **more: Any) -> dict[str, Any]:
    return {"use": "evol-instruct", "seeds": rows_file(folder, rows), "rounds": 1, "lookahead": 2, **more}


def licensed(*licenses: str | None) -> list[dict[str, Any]]:
    """A seed for each; None says nothing."""
    rows = [{"id": f"s{n}", "instruction": f"Name the {n}th wonder.", "output": f"It is {n}."} for n in range(9)]
    return [{**row, **({"license": name} if name else {})} for row, name in zip(rows, licenses, strict=False)]


# licences


def test_the_licence_of_a_seed_is_that_of_all_that_evolves_from_it(tmp_path: Path) -> None:
    rows = licensed("CC BY 4.0", "mit", None, "House rules")
    result = run(tmp_path / "run", evol(tmp_path, rows, rounds=2), Evolver())
    kept = [record for record in result.records() if not record.dropped]
    expected = {"s0": ["cc-by-4.0"], "s1": ["mit"], "s2": ["unknown"], "s3": ["House rules"]}
    assert {record.id.partition("@")[2] for record in kept} == {"0", "1", "2"}
    for record in kept:
        assert record.meta["source_licenses"] == expected[record.meta["lineage"]]
    assert section(card(result), "Seeds").strip().split("\n\n") == [
        "4 tasks from `seeds.jsonl`; licence: House rules, cc-by-4.0, mit, unknown.",
        "By the licence of the seeds that a row comes from:",
        "| licence | rows |\n| --- | --- |\n| `House rules` | 3 |\n| `cc-by-4.0` | 3 |\n| `mit` | 3 |"
        "\n| unknown: nobody said | 3 |",
    ]


def test_a_row_of_self_instruct_comes_under_the_licences_of_all_it_was_shown(tmp_path: Path) -> None:
    path = Path(seed_file(tmp_path, 20))
    seeds = [json.loads(line) for line in path.read_text().splitlines()]
    by_id = {seed["id"]: {0: "odc-by", 1: ""}.get(n, "mit") for n, seed in enumerate(seeds)}
    path.write_text("".join(json.dumps(seed | {"license": by_id[seed["id"]]}) + "\n" for seed in seeds))
    generator = {"use": "self-instruct", "seeds": str(path), "lookahead": 1, "max_requests": 6}
    result = run(tmp_path / "run", generator, varied())
    known: dict[str, set[str]] = {id: {license or "unknown"} for id, license in by_id.items()}
    rounds: set[int] = set()
    for record in result.records():
        told = set().union(*(known[parent] for parent in record.meta["parents"]))
        assert record.meta["source_licenses"] == sorted(told)
        known["-".join(record.id.split("-")[:2])] = told
        if record.meta["made_parents"]:
            rounds.add(record.meta["round"])
    assert rounds  # some of what it was shown was made, of seeds that it was not shown itself
    assert "A row that comes from several counts for each." in card(result)


def test_a_chain_keeps_the_licence_of_the_first_seed(tmp_path: Path) -> None:
    def both(request: Request) -> Any:
        return (script if request.stage in ("instructions", "classification", "instances") else chained)(request)

    script = varied()
    first = {"use": "self-instruct", "seeds": seed_file(tmp_path, 12), "seed_license": "ODC-BY", "target": 6}
    result = run(tmp_path / "run", {"use": "evol-instruct", "seeds": first | {"lookahead": 2}, "rounds": 1}, both)
    kept = [record for record in result.records() if not record.dropped]
    assert {record.meta["generator"] for record in kept} == {"self-instruct", "evol-instruct"}
    assert {tuple(record.meta["source_licenses"]) for record in kept} == {("odc-by",)}
    assert f"| `odc-by` | {len(kept)} |" in card(result)


def test_what_has_no_seeds_has_no_licences_of_seeds(tmp_path: Path) -> None:
    generator = {"use": "glan", "taxonomy": small_taxonomy(tmp_path), "queries": 1, "max_questions": 4}
    result = run(tmp_path / "run", generator, chained)
    assert "## Seeds" not in card(result)
    assert header(result)["source_datasets"] == ["original"]


def test_the_licence_of_a_folder_of_seeds_is_in_its_card_and_the_recipe_may_say_another(tmp_path: Path) -> None:
    generator = {"use": "evol-instruct", "seeds": str(source(tmp_path / "folder")), "rounds": 1, "lookahead": 2}
    for more, expected in (({}, "cc-by-sa-4.0"), ({"seed_license": "MIT"}, "mit")):
        result = run(tmp_path / expected, generator | more, Evolver())
        assert {tuple(record.meta["source_licenses"]) for record in result.records()} == {(expected,)}


def test_an_earlier_dataset_tells_of_each_row_where_it_comes_from(tmp_path: Path) -> None:
    from llmsynth.sources import read_seeds

    told = json.dumps({"source_licenses": ["mit", "unknown"]})
    rows = [{"instruction": "Who?", "output": "Me.", "metadata": told}, {"instruction": "What?", "output": "It."}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [seed.licenses for seed in read_seeds(tmp_path / "rows.jsonl", "isc")] == [("mit", "unknown"), ("isc",)]


def test_a_taxonomy_tells_its_licences_by_attribution(tmp_path: Path) -> None:
    from llmsynth.sources import read_seeds

    leaves = {"a": "attribution:\n- source: self-authored\n  license: Apache-2.0\n", "b": "", "c": ""}
    for name, more in leaves.items():
        folder = tmp_path / "tree" / name
        folder.mkdir(parents=True)
        example = f"seed_examples:\n- question: What is {name}?\n  answer: A letter.\n"
        (folder / "qna.yaml").write_text(example + more)
    (tmp_path / "tree/b/attribution.txt").write_text(
        "Title of work: Letters\nLicense of the work: CC-BY-SA-4.0\nTitle of work: More\nLicense of the work:  X 1\n"
    )
    found = {seed.meta["topic"]: seed.licenses for seed in read_seeds(tmp_path / "tree")}
    assert found == {"tree/a": ("apache-2.0",), "tree/b": ("cc-by-sa-4.0", "X 1"), "tree/c": ()}
    assert read_seeds(tmp_path / "tree", "mit")[2].licenses == ("mit",)


# curated rows


def source(folder: Path, head: str = "license: cc-by-sa-4.0\ntags: [welsh]\nlanguage: [cy]\n") -> Path:
    """Somebody's dataset, as a folder with a card."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    (folder / "data").mkdir(parents=True)
    rows = {"question": ["How are you?", "how are you?", "Who?"], "answer": ["Well.", "Well.", "Me."]}
    pq.write_table(pa.table(rows), folder / "data" / "train-00000-of-00001.parquet")
    (folder / "README.md").write_text(f"---\n{head}---\n# Cwestiynau\n")
    return folder


def curated(folder: Path, path: Path, **generator: Any) -> Result:
    steps = [{"use": "exact-duplicates", "on": ["question"]}]
    data = {"generator": {"use": "rows", "path": str(path), **generator}, "steps": steps}
    return synthesize(Recipe.from_data({"name": "Clean", **data}), folder)


def test_a_curated_dataset_keeps_what_its_source_says_and_is_not_called_synthetic(tmp_path: Path) -> None:
    hub = tmp_path / "datasets--nia--cwestiynau" / "snapshots"
    result = curated(tmp_path / "run", source(hub / "abc"))
    found = header(result)
    assert found["license"] == "cc-by-sa-4.0"
    assert found["language"] == ["cy"]
    assert found["tags"] == ["llmsynth", "welsh"]
    assert found["source_datasets"] == ["nia/cwestiynau"]
    assert found["annotations_creators"] is None
    text = card(result)
    assert "2 rows of `abc`, curated by llmsynth." in text
    assert "| `cc-by-sa-4.0` | 2 |" in text
    assert "synthetic" not in text
    assert "Language models wrote" not in text
    assert "No licence was given" not in text
    assert all(record.meta["source_licenses"] == ["cc-by-sa-4.0"] for record in result.records())


def test_several_licences_and_norwegian_are_what_a_source_says_they_are(tmp_path: Path) -> None:
    said = 'license: [mit, cc-by-4.0]\nlanguage:\n- no\n- en\ntags: ["\\ud83d\\ude00"]\n'
    found = header(curated(tmp_path / "run", source(tmp_path / "folder", said)))
    assert found["license"] == ["mit", "cc-by-4.0"]
    assert found["language"] == ["no", "en"]
    assert "\U0001f600" in found["tags"]


def test_rows_whose_source_says_nothing_are_said_to_be_of_unknown_licence(tmp_path: Path) -> None:
    result = curated(tmp_path / "run", source(tmp_path / "folder", "tags: [synthetic]\n"))
    assert "license" not in DatasetCard.load(result.dataset / "README.md").data.to_dict()
    assert "| unknown: nobody said | 2 |" in card(result)
    assert "No licence was given for this dataset." in card(result)
    assert header(result)["tags"] == ["llmsynth", "synthetic"]  # as its source says it of itself
    told = curated(tmp_path / "told", tmp_path / "folder", license="MIT")
    assert "| `mit` | 2 |" in card(told)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("license: [mit, cc-by-4.0]\n", (["mit", "cc-by-4.0"], None)),
        ("license: CC BY 4.0\n", ("cc-by-4.0", None)),
        ("license:\n- House Rules\n", ("other", "House Rules")),
        ("license: [mit, House Rules]\n", (["mit", "other"], "House Rules")),
        ("license: other\nlicense_name: house-rules\n", ("other", "house-rules")),
        ("license: 3\n", (None, None)),
    ],
)
def test_a_curated_dataset_has_the_licences_of_its_source_by_the_hubs_names(
    tmp_path: Path, head: str, expected: tuple[Any, str | None]
) -> None:
    result = curated(tmp_path / "run", source(tmp_path / "folder", head))
    found = DatasetCard.load(result.dataset / "README.md").data.to_dict()
    assert (found.get("license"), found.get("license_name")) == expected


def test_the_owner_may_name_another_licence_than_the_source(tmp_path: Path) -> None:
    data = {"name": "Clean", "generator": {"use": "rows", "path": str(source(tmp_path / "folder"))}, "language": []}
    result = synthesize(Recipe.from_data({**data, "card": {"license_name": "house-rules"}}), tmp_path / "run")
    found = header(result)
    assert (found["license"], found["license_name"]) == ("other", "house-rules")


def test_what_was_made_in_a_run_is_curated_with_its_licences(tmp_path: Path) -> None:
    made = run(tmp_path / "made", evol(tmp_path, licensed("mit", None)), Evolver())
    data = {"name": "Clean", "generator": {"use": "rows", "path": str(made.directory)}}
    result = synthesize(Recipe.from_data(data), tmp_path / "run")
    assert "| `mit` | 2 |" in card(result) and "| unknown: nobody said | 2 |" in card(result)
    assert "synthetic" in header(result)["tags"]


# what its owner says


def test_the_owners_words_stand_in_the_card_and_the_rest_is_not_stated(tmp_path: Path) -> None:
    silent = card(run(tmp_path / "silent", evol(tmp_path), Evolver()))
    for name in ("Intended use", "Out-of-scope use", "Known bias", "Validated on real data", "Maintenance"):
        assert section(silent, name).strip() == "Not stated."
    result = run(tmp_path / "run", evol(tmp_path), Evolver(), card=WORDS)
    text = card(result)
    for name, key in (
        ("Intended use", "intended_use"),
        ("Known bias", "bias"),
        ("Validated on real data", "validated"),
    ):
        assert section(text, name).strip() == WORDS[key]
    assert section(text, "Maintenance").strip() == "Twice a year.\n\nContact: nia@example.org"
    assert "What they say: Read on 1 May: no limits." in text
    assert section(text, "Limits").rstrip().endswith("No arithmetic beyond 100.")
    assert "Not stated." not in text
    assert header(result)["source_datasets"] == ["nia/tasks"]
    assert header(result)["tags"][-1] == "cymraeg"
    assert "card:" not in section(text, "Recipe")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"intended": "x"}, "card.intended: unknown key\ndid you mean intended_use"),
        ({"bias": 3}, "card.bias: input should be a valid string"),
        ({"tags": ["a\nb"]}, "card: tags holds an empty name, or one of several lines"),
        ({"license_link": "https://x"}, "card: license_link without license_name"),
    ],
)
def test_words_that_cannot_be_used_are_refused(words: dict[str, Any], message: str) -> None:
    data = {
        "generator": {"use": "glan"},
        "models": {"default": {"use": "fake", "function": "tests.plugins:last_words"}},
    }
    with pytest.raises(RecipeError) as caught:
        Recipe.from_data({**data, "card": words})
    assert message in str(caught.value).replace("recipe: ", "")


def test_a_licence_that_the_hub_does_not_know_is_another(tmp_path: Path) -> None:
    result = run(tmp_path / "run", evol(tmp_path), Evolver(), license="House Rules")
    assert header(result)["license"] == "other"
    assert header(result)["license_name"] == "House Rules"
    linked = {"license_name": "house-rules", "license_link": "https://example.org/rules"}
    found = header(run(tmp_path / "linked", evol(tmp_path), Evolver(), license="other", card=linked))
    assert (found["license"], found["license_name"]) == ("other", "house-rules")
    assert found["license_link"] == "https://example.org/rules"
    for said, expected in (("CC BY 4.0", "cc-by-4.0"), ("OpenMDW 1.1", "openmdw-1.1"), ("Apple AMLR", "apple-amlr")):
        known = run(tmp_path / expected, evol(tmp_path), Evolver(), license=said)
        assert header(known)["license"] == expected


def test_words_change_nothing_but_the_card(tmp_path: Path) -> None:
    first = run(tmp_path / "run", evol(tmp_path), Evolver())
    assert "card" not in yaml.safe_load((first.directory / "recipe.yaml").read_text())
    data = yaml.safe_load((first.directory / "recipe.yaml").read_text())
    again = Recipe.from_data({**data, "card": {"bias": "All of it."}})
    model = Evolver()
    result = synthesize(again, first.directory, backends={"default": FakeBackend(model)}, update=True)
    assert not model.log
    assert section(card(result), "Known bias").strip() == "All of it."


def test_a_rerun_keeps_what_somebody_changed_in_the_card(tmp_path: Path) -> None:
    from datasets.info import DatasetInfosDict

    first = run(tmp_path / "run", evol(tmp_path, 6), Evolver())
    readme = first.dataset / "README.md"
    text = readme.read_text().replace("### Known bias\n\nNot stated.", "### Known bias\n\nAll names are Welsh.")
    readme.write_text(text.replace("pretty_name: Tasgau", "pretty_name: Tasgau i blant\nhomepage: https://example.org"))
    rows_file(tmp_path, 3)
    recipe = Recipe.load(first.directory / "recipe.yaml")
    result = synthesize(recipe, first.directory, backends={"default": FakeBackend(Evolver())}, update=True)
    assert "### Known bias\n\nAll names are Welsh." in card(result)
    assert header(result)["pretty_name"] == "Tasgau i blant"
    assert header(result)["homepage"] == "https://example.org"
    kept = result.report["rows"]["kept"]
    data = DatasetCard.load(result.dataset / "README.md").data
    assert DatasetInfosDict.from_dataset_card_data(data)["default"].splits["train"].num_examples == kept
    assert kept != first.report["rows"]["kept"]
    assert f"| **kept** |  | **{kept}** |" in card(result)


# what was done


def test_the_card_tells_models_checks_scores_and_cost(tmp_path: Path) -> None:
    for name in ("test.jsonl", "other.jsonl"):
        (tmp_path / name).write_text(json.dumps({"question": "Name the 1th wonder. It has twelve legs, they say."}))
    steps = [
        {"use": "exact-duplicates", "on": ["output"]},
        {"use": "decontaminate", "against": [str(tmp_path / "test.jsonl")]},
        {"use": "decontaminate", "against": [str(tmp_path / "other.jsonl")]},
        {"use": "heuristics"},
    ]
    rows = licensed(*["mit"] * 8)
    result = run(tmp_path / "run", evol(tmp_path, rows, evolve={"temperature": 0.3}), Evolver(), steps=steps, seed=4)
    text, report = card(result), result.report
    assert "| `evolve` | `fake` | temperature 0.3" in text
    assert "- **default**: `fake` (kind fake)" in text
    funnel = {stage["stage"]: stage for stage in report["funnel"]}
    for name, stage in funnel.items():
        assert f"| `{name}` | {stage['in']:,} | {stage['kept']:,} |" in text
    dropped = sum(funnel["exact-duplicates"]["dropped"].values())
    assert f'- `exact-duplicates` (on ["output"]): {dropped} of {funnel["exact-duplicates"]["in"]} rows dropped' in text
    assert "| `test.jsonl` | 1 | 0 |" in text and "| `other.jsonl` | 1 | 0 |" in text
    assert f"| `heuristics` | {report['scores']['heuristics']['rows']} |" in text
    answers = sum(used["answers"] for used in report["usage"].values())
    assert f"| **all** | {answers} |" in text
    assert "No step looked for duplicates." not in text and "any test set" not in text
    assert "| **randomness** | seed 4 |" in text
    day = days_of(result.directory / "journal.jsonl")
    assert day is not None and day[0] in text
    assert str(tmp_path) not in text


def test_the_address_of_an_embedder_is_nobodys_business() -> None:
    from llmsynth.recipe import publishable

    embedder = {"use": "openai", "model": "small", "base_url": "http://10.0.0.7:8000/v1", "api_key_env": "MINE"}
    for key in ("steps", "selectors"):
        spec = {"use": "x", "embedder": dict(embedder)}
        assert publishable({"generator": {"use": "glan"}, key: [spec]})[key] == [
            {"use": "x", "embedder": {"use": "openai", "model": "small"}}
        ]


def test_an_unknown_price_is_not_free(tmp_path: Path) -> None:
    from llmsynth.card import card_text
    from tests.test_card import facts, info

    used = {"answers": 2, "prompt_tokens": 10, "completion_tokens": 5}
    usage = {"a": {**used, "cost": 0.5}, "b": {**used, "cost": "unknown"}}
    text = card_text(facts(info(tmp_path), usage=usage))
    assert "| `b` | 2 | 10 | 5 | unknown |" in text
    assert "| **all** | 4 | 20 | 10 | unknown |" in text
    assert "| **all** | 2 | 10 | 5 | 0.50 |" in card_text(facts(info(tmp_path), usage={"a": usage["a"]}))


def test_diversity_is_told_where_it_was_measured(tmp_path: Path) -> None:
    from llmsynth.card import card_text
    from llmsynth.diversity_report import diversity
    from tests.test_card import facts, info

    told = diversity({"kept": ["a b c d", "e f g h"], "seeds": ["a b c d", "a b c e"]})
    text = card_text(facts(info(tmp_path), diversity=told))
    assert "| measure | `kept` | `seeds` |" in text
    assert "| distinct-2 | 1 | 0.667 |" in text
    assert "Measured on 2 texts and 8 words of each." in text
    assert "## Diversity" not in card_text(facts(info(tmp_path)))


def test_the_methods_of_steps_are_cited_too(tmp_path: Path) -> None:
    steps = [{"use": "minhash-duplicates"}, {"use": "heuristics"}]
    selectors = [{"use": "k-center", "n": 3}]
    text = card(run(tmp_path / "run", evol(tmp_path), Evolver(), steps=steps, selectors=selectors))
    for paper in ("2304.12244", "broder1997resemblance", "2107.06499", "1708.00489"):
        assert text.count(paper) == 1


def test_the_signs_of_latex_in_a_title_are_escaped() -> None:
    from llmsynth.papers import PAPERS

    assert r"title = {{\#InsTag: Instruction" in PAPERS["instag"].bibtex
    gopher = PAPERS["gopher"].bibtex
    assert r"Analysis \& Insights" in gopher and "Francis Song and others}" in gopher


def test_the_web_profile_cites_all_whose_rules_it_applies(tmp_path: Path) -> None:
    text = card(run(tmp_path / "run", evol(tmp_path), Evolver(), steps=[{"use": "web-profile"}]))
    for paper in ("2112.11446", "1910.10683", "2406.17557"):
        assert text.count(paper) == 1


def test_every_cited_paper_is_there_and_every_citing_method_too() -> None:
    from llmsynth.papers import OF_STEPS, PAPERS
    from llmsynth.selectors import SELECTORS
    from llmsynth.steps import STEPS

    assert {key for keys in OF_STEPS.values() for key in keys} <= PAPERS.keys()
    assert OF_STEPS.keys() - {"respond"} <= STEPS.keys() | SELECTORS.keys()
    assert len({paper.key for paper in PAPERS.values()}) == len(PAPERS)
    assert all(paper.arxiv or paper.where for paper in PAPERS.values())


def test_a_journal_without_a_day_has_none(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    assert days_of(path) is None
    for content in (b"", b"torn", b'{"at":"x"}\n', b'{"at":1e99}\n'):
        path.write_bytes(content)
        assert days_of(path) is None
    line = b'{"key":"%s","at":%d}\n'
    path.write_bytes(line % (b"a", 0) + line % (b"x" * 200_000, 86_400) + b'{"key":"b","at":9')
    assert days_of(path) == ("1970-01-01", "1970-01-02")


# the Hub's own opinion


class _Hub(BaseHTTPRequestHandler):
    """Validates a card as the Hub's endpoint does, as far as its rules are public."""

    cards: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == "/api/validate-yaml" and body["repoType"] == "dataset"
        found = yaml.safe_load(body["content"].replace("\r\n", "\n").split("---\n")[1])
        self.cards.append(found)
        wrong = [key for key in ("license", "pretty_name") if not isinstance(found.get(key), str)]
        wrong += [key for key in ("tags", "task_categories", "size_categories") if not isinstance(found[key], list)]
        self.send_response(400 if wrong else 200)
        self.end_headers()
        self.wfile.write(" ".join(wrong).encode())

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    server = HTTPServer(("127.0.0.1", 0), _Hub)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    _Hub.cards = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield _Hub.cards
    server.shutdown()
    server.server_close()


def test_the_hubs_client_accepts_the_card(tmp_path: Path, hub: list[dict[str, Any]]) -> None:
    result = run(tmp_path / "run", evol(tmp_path), Evolver(), license="cc-by-4.0", card=WORDS)
    loaded = DatasetCard.load(result.dataset / "README.md")
    loaded.validate()
    assert hub[0]["license"] == "cc-by-4.0" and len(hub) == 1
    # none of the keys is unknown to the client, but for those that only the viewer and loaders read
    known = DatasetCardData(ignore_metadata_errors=False, **hub[0])
    assert known.pretty_name == "Tasgau"
    extra = {"configs", "dataset_info", "tags"}
    assert hub[0].keys() - extra <= vars(DatasetCardData()).keys() | {"train_eval_index", "license_name"}
    without = DatasetCard(card(result).replace("license: cc-by-4.0\n", ""))
    with pytest.raises(ValueError, match="license"):
        without.validate()


def test_the_datasets_library_reads_configs_and_infos_from_the_card(tmp_path: Path) -> None:
    from datasets.info import DatasetInfosDict
    from datasets.utils.metadata import MetadataConfigs

    result = run(tmp_path / "run", evol(tmp_path), Evolver())
    data = DatasetCard.load(result.dataset / "README.md").data
    infos = DatasetInfosDict.from_dataset_card_data(data)
    assert infos["default"].splits["train"].num_examples == result.report["rows"]["kept"]
    assert [*infos["default"].features][:4] == ["id", "instruction", "input", "output"]
    configs = MetadataConfigs.from_dataset_card_data(data)
    assert configs["default"]["data_files"] == [{"split": "train", "path": "data/train-*"}]


def test_size_categories_and_languages_are_words_of_the_hub(tmp_path: Path) -> None:
    found = header(run(tmp_path / "run", evol(tmp_path), Evolver(), language=["cy", "no"]))
    assert found["multilinguality"] == ["multilingual"]
    assert found["language"] == ["cy", "no"]
    assert found["size_categories"] == ["n<1K"]
    assert found["annotations_creators"] == found["language_creators"] == ["machine-generated"]
    assert found["tags"] == ["synthetic", "llmsynth", "evol-instruct", "sft"]
