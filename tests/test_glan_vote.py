"""Votes of models on a taxonomy, and what the votes of several people and models leave of it (G1)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from llmsynth import Completion, FakeBackend, Request, Run
from llmsynth.errors import SourceError
from llmsynth.generators.glan.vote import prune, vote
from llmsynth.journal import Journal, read_entries
from llmsynth.model import Model
from llmsynth.request import Failure, Sampling
from llmsynth.taxonomy import Taxonomy
from tests.professor import small_taxonomy
from tests.scripted import Answer, content
from tests.test_glan_cli import Call, llmsynth  # noqa: F401  (a fixture)


def strict(request: Request) -> str:
    """A voter against everything in biology."""
    return "**No.**" if " > Biology" in content(request) else "Yes, it is taught."


def lenient(request: Request) -> str:
    return "Yes"


def torn(request: Request) -> str:
    """A voter who drops biology, but cannot say so of the crafts."""
    return "Yes and no." if "Crafts" in content(request) else strict(request)


async def votes_of(answer: Callable[[Request], Answer], source: str, journal: Journal) -> dict[str, str]:
    run = Run({"default": Model(FakeBackend(answer), journal, attempts=1)})
    ballot = await vote(run, Taxonomy.load(source), Sampling(max_tokens=16))
    return {"/".join(path): said for path, said in ballot.votes}


async def test_g1_a_model_votes_on_every_node_and_sees_where_it_stands(tmp_path: Path, journal: Journal) -> None:
    votes = await votes_of(strict, small_taxonomy(tmp_path), journal)
    assert votes == {
        "Sciences": "keep",
        "Sciences/Physics": "keep",
        "Sciences/Physics/Optics": "keep",
        "Sciences/Physics/Acoustics": "keep",
        "Sciences/Biology": "drop",
        "Sciences/Biology/Botany": "drop",
        "Crafts": "keep",
        "Crafts/Carpentry": "keep",
    }
    prompts = [entry["messages"][-1]["content"] for entry in read_entries(journal.path)]
    physics = next(prompt for prompt in prompts if "Sciences > Physics\n" in prompt)
    assert "Directly below it stand: Optics; Acoustics." in physics and 'belong under "Sciences"' in physics


@pytest.mark.parametrize("reply", ["", "Perhaps.", "Yes and no.", "I cannot judge that.", "<think>Yes"])
async def test_g1_a_model_that_answers_neither_way_has_no_vote(reply: str, tmp_path: Path, journal: Journal) -> None:
    run = Run({"default": Model(FakeBackend(lambda request: reply), journal)})
    ballot = await vote(run, Taxonomy.load(small_taxonomy(tmp_path)), Sampling())
    assert {said for _, said in ballot.votes} == {""}
    assert (ballot.undecided, ballot.failed) == (8, 0)


async def test_g1_a_failed_request_is_no_vote_and_is_counted(tmp_path: Path, journal: Journal) -> None:
    broken = Completion("", "error", failure=Failure("timeout", "too slow", 1))
    run = Run({"default": Model(FakeBackend(lambda request: broken), journal)})
    ballot = await vote(run, Taxonomy.load(small_taxonomy(tmp_path)), Sampling())
    assert (ballot.undecided, ballot.failed) == (0, 8)


async def test_g1_names_are_data_in_the_prompt(tmp_path: Path, journal: Journal) -> None:
    names = ["{{ 7 * 7 }}", "../x", "<b>", "{% raw %}"]
    source = small_taxonomy(tmp_path, "fields:\n" + "".join(f"  - '{name}'\n" for name in names))
    assert list(await votes_of(lenient, source, journal)) == names
    prompts = "\n".join(entry["messages"][-1]["content"] for entry in read_entries(journal.path))
    assert all(name in prompts for name in names)


def test_g1_several_models_and_a_person_prune_by_majority(llmsynth: Call) -> None:  # noqa: F811
    for voter in ("strict", "lenient", "torn"):
        use = f"models.default={{use: fake, function: 'tests.test_glan_vote:{voter}'}}"
        arguments = ("taxonomy", "vote", "small.yaml", "-m", "pocket", "-o", f"{voter}.csv", "--set", use)
        code, out, err = llmsynth(*arguments)
        assert (code, out) == (0, f"{voter}.csv\n"), err
    assert "8 nodes: 2 to drop, 2 without a vote" in err
    assert llmsynth(*arguments)[0] == 1  # nothing is overwritten
    Path("me.csv").write_text("path,vote\nCrafts,keep\n")
    ballots = ("strict.csv", "lenient.csv", "torn.csv", "me.csv")
    code, out, err = llmsynth("taxonomy", "prune", "small.yaml", *ballots, "-o", "pruned.yaml")
    assert code == 0 and "voted out: Sciences/Biology\n" in err
    assert Taxonomy.load("pruned.yaml").disciplines() == [
        ("Sciences", "Physics", "Optics"),
        ("Sciences", "Physics", "Acoustics"),
        ("Crafts", "Carpentry"),
    ]


def test_g1_a_vote_that_was_interrupted_pays_for_nothing_twice(llmsynth: Call) -> None:  # noqa: F811
    use = "models.default={use: fake, function: 'tests.test_glan_vote:strict'}"
    arguments = ("taxonomy", "vote", "small.yaml", "-m", "pocket", "-o", "v.csv", "--set", use)
    llmsynth(*arguments)
    journal = Path("v.csv.journal.jsonl")
    whole, first = journal.read_bytes(), Path("v.csv").read_text()
    Path("v.csv").unlink()
    journal.write_bytes(b"".join(whole.splitlines(keepends=True)[:5]))
    assert llmsynth(*arguments)[0] == 0
    assert Path("v.csv").read_text() == first
    assert len(journal.read_bytes().splitlines()) == len(whole.splitlines()) == 8
    assert first.startswith("path,vote\nSciences,keep\n")


def test_g1_a_vote_on_a_path_that_is_two_nodes_is_refused(tmp_path: Path) -> None:
    source = small_taxonomy(tmp_path, "fields:\n  Nets:\n    TCP: [IP]\n    TCP/IP:\n    Ethernet:\n")
    (tmp_path / "b.csv").write_text("path,vote\nNets/TCP/IP,\nNets/TCP/IP,\nNets/Ethernet,drop\n")
    assert len(prune(Taxonomy.load(source), [tmp_path / "b.csv"]).taxonomy.disciplines()) == 2
    (tmp_path / "b.csv").write_text("path,vote\nNets/TCP/IP,drop\n")
    with pytest.raises(SourceError, match=r"b\.csv:2: 'Nets/TCP/IP' may be either of two nodes"):
        prune(Taxonomy.load(source), [tmp_path / "b.csv"])
