"""Publishing to the Hub, whose endpoints a server on the loopback interface speaks to the real client."""

# ruff: noqa: F811  (as the names of fixtures are those of parameters)

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from llmsynth.cli import app
from llmsynth.errors import PublishError
from llmsynth.publish import Target, look_ahead, publish
from tests.hub_server import HubServer
from tests.publishing import COLUMNS, REPO, Make, client, header, hub, loaded, make, shards, waits  # noqa: F401  (fixtures)


def test_a_run_becomes_a_private_dataset_in_one_commit(hub: HubServer, make: Make, tmp_path: Path) -> None:
    done = publish(make("welsh"), Target(REPO))
    repo = hub.repos[REPO]
    assert repo.private
    assert repo.commits == 1
    assert done.address == f"{hub.url}/datasets/{REPO}/commit/{repo.branches['main'][-1]}"
    assert sorted(repo.head) == [
        ".gitattributes",
        "README.md",
        "data/train-00000-of-00003.parquet",
        "data/train-00001-of-00003.parquet",
        "data/train-00002-of-00003.parquet",
        "recipe.yaml",
    ]
    assert f'load_dataset("{REPO}"' in hub.text(REPO, "README.md")
    train = loaded(hub, tmp_path)["train"]
    assert train["rows"] == [f"0-{n}" for n in range(6)]
    assert train["types"] == {
        "id": "string",
        "instruction": "string",
        "output": "string",
        "note": "int64",
    }


def test_the_recipe_is_beside_the_data_without_addresses_folders_and_names_of_keys(hub: HubServer, make: Make) -> None:
    publish(make("welsh"), Target(REPO))
    recipe = yaml.safe_load(hub.text(REPO, "recipe.yaml"))
    assert recipe["generator"] == {"use": "self-instruct", "seeds": "seeds.jsonl"}
    assert recipe["models"] == {"default": {"use": "openai", "model": "m"}}


def test_the_dataset_of_a_run_comes_with_the_recipe_as_well(hub: HubServer, make: Make) -> None:
    publish(make("welsh") / "dataset", Target(REPO))
    assert "recipe.yaml" in hub.repos[REPO].head


def test_a_name_alone_is_the_users_own_and_public_is_said(hub: HubServer, make: Make) -> None:
    run = make("welsh")
    publish(run, Target("mine", public=True))
    assert not hub.repos["ada/mine"].private
    publish(run, Target("lovelace/ours"))
    assert hub.repos["lovelace/ours"].private


def test_a_dry_run_lists_every_file_and_sends_nothing(hub: HubServer, make: Make) -> None:
    run = make("welsh")
    done = CliRunner().invoke(app, ["push", str(run), REPO, "--dry-run"])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == f"{REPO}: private, to be made"
    assert [line.split()[:2] for line in lines[1:-1]] == [
        ["add", "README.md"],
        *(["add", f"data/train-0000{n}-of-00003.parquet"] for n in range(3)),
        ["add", "recipe.yaml"],
    ]
    assert lines[1].split()[2:] == [f"{(run / 'dataset' / 'README.md').stat().st_size / 1000 - 0.011:.1f}", "kB"]
    assert lines[-1].startswith("would send 5 files, ")
    assert hub.writes == []
    assert hub.repos == {}


def test_a_dry_run_of_a_second_push_tells_what_it_would_replace_and_delete(hub: HubServer, make: Make) -> None:
    publish(make("welsh"), Target(REPO))
    before = len(hub.writes)
    _, _, plan = look_ahead(make("other", rows=4, seed=1), Target(REPO, overwrite=True))
    told = [line.split()[:2] for line in plan.lines()]
    assert told == [
        ["replace", "README.md"],
        ["add", "data/train-00000-of-00002.parquet"],
        ["add", "data/train-00001-of-00002.parquet"],
        ["replace", "recipe.yaml"],
        *(["delete", f"data/train-0000{n}-of-00003.parquet"] for n in range(3)),
    ]
    assert len(hub.writes) == before


def test_what_is_there_is_neither_sent_again_nor_refused(hub: HubServer, make: Make) -> None:
    run = make("welsh")
    publish(run, Target(REPO))
    before = len(hub.writes)
    assert publish(run, Target(REPO)).address == ""
    assert len(hub.writes) == before
    assert hub.repos[REPO].commits == 1


def test_another_dataset_is_refused_unless_it_is_said_what_to_do(hub: HubServer, make: Make) -> None:
    publish(make("welsh"), Target(REPO))
    other = make("other", rows=4, seed=1)
    with pytest.raises(PublishError, match="there already, with 4 files") as caught:
        publish(other, Target(REPO))
    assert "--append" in caught.value.hint and "--overwrite" in caught.value.hint
    assert hub.repos[REPO].commits == 1
    publish(other, Target(REPO, overwrite=True))
    assert shards(hub) == ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"]
    assert header(hub)["dataset_info"]["splits"][0]["num_examples"] == 4
    assert hub.repos[REPO].commits == 2


def test_files_that_are_no_part_of_the_dataset_stay_when_it_is_overwritten(hub: HubServer, make: Make) -> None:
    publish(make("welsh"), Target(REPO))
    hub.edit(REPO, "LICENSE", "mine")
    hub.edit(REPO, "extra/words.csv", "a\n1\n")
    config = "configs:\n- config_name: words\n  data_files: extra/*.csv\n"
    hub.edit(REPO, "README.md", hub.text(REPO, "README.md").replace("configs:\n", config))
    publish(make("other", rows=2, seed=1), Target(REPO, overwrite=True))
    assert {"LICENSE", "extra/words.csv"} <= hub.repos[REPO].head.keys()
    assert [config["config_name"] for config in header(hub)["configs"]] == ["default", "words"]


def test_a_split_that_somebody_added_stays_when_the_dataset_is_overwritten(hub: HubServer, make: Make) -> None:
    publish(make("welsh"), Target(REPO))
    hub.edit(REPO, "gold.jsonl", "{}")
    ours = "    path: data/train-*\n"
    theirs = ours + "  - split: gold\n    path: gold.jsonl\n"
    hub.edit(REPO, "README.md", hub.text(REPO, "README.md").replace(ours, theirs))
    publish(make("other", rows=2, seed=1), Target(REPO, overwrite=True))
    assert shards(hub) == ["data/train-00000-of-00001.parquet"] and "gold.jsonl" in hub.repos[REPO].head
    assert [files["split"] for files in header(hub)["configs"][0]["data_files"]] == ["train", "gold"]


def test_rows_are_added_behind_those_that_are_there(hub: HubServer, make: Make, tmp_path: Path) -> None:
    first, second = make("welsh"), make("irish", rows=3, seed=1, languages=("en", "ga"))
    publish(first, Target(REPO))
    old = header(hub)["dataset_info"]
    publish(second, Target(REPO, append=True))
    assert hub.repos[REPO].commits == 2
    assert shards(hub) == [f"data/train-0000{n}-of-00005.parquet" for n in range(5)]
    assert len(hub.received) == 5  # renamed at the Hub, not sent again
    new = header(hub)["dataset_info"]
    mine = yaml.safe_load((second / "dataset" / "README.md").read_text().split("---\n")[1])["dataset_info"]
    assert new["splits"][0]["num_examples"] == 9
    for key in ("download_size", "dataset_size"):
        assert new[key] == old[key] + mine[key]
    assert header(hub)["language"] == ["en", "ga"]
    assert "## Addition 2" in hub.text(REPO, "README.md")
    assert "With these rows there are 9." in hub.text(REPO, "README.md")
    assert "Their recipe is `recipe-2.yaml`." in hub.text(REPO, "README.md")
    assert yaml.safe_load(hub.text(REPO, "recipe-2.yaml"))["name"] == "irish"
    assert loaded(hub, tmp_path)["train"]["rows"] == [*(f"0-{n}" for n in range(6)), *(f"1-{n}" for n in range(3))]


def test_rows_that_are_there_are_not_added_again(hub: HubServer, make: Make) -> None:
    second = make("irish", rows=3, seed=1)
    publish(make("welsh"), Target(REPO))
    publish(second, Target(REPO, append=True))
    before = dict(hub.repos[REPO].head)
    assert publish(second, Target(REPO, append=True)).address == ""
    assert hub.repos[REPO].head == before


def test_a_run_that_has_grown_is_no_addition(hub: HubServer, make: Make, tmp_path: Path) -> None:
    publish(make("welsh"), Target(REPO))
    (tmp_path / "welsh").rename(tmp_path / "before")
    grown = make("welsh", rows=8)
    with pytest.raises(PublishError, match="holds rows of this run already") as caught:
        publish(grown, Target(REPO, append=True))
    assert "--overwrite" in caught.value.hint
    sent = sum(hub.received.values())
    publish(grown, Target(REPO, overwrite=True))
    assert sum(hub.received.values()) == sent + 1  # the only shard that is new
    assert len(shards(hub)) == 4


def test_rows_with_other_columns_are_not_added(hub: HubServer, make: Make) -> None:
    publish(make("welsh"), Target(REPO))
    with pytest.raises(PublishError, match="note is int64 there, string here, text is missing there, string here"):
        publish(make("x", seed=1, columns={**COLUMNS, "note": "string", "text": "string"}), Target(REPO, append=True))
    assert hub.repos[REPO].commits == 1


def test_rows_are_not_added_to_what_is_not_counted(hub: HubServer, make: Make) -> None:
    publish(make("welsh"), Target(REPO))
    hub.edit(REPO, "README.md", hub.text(REPO, "README.md").replace("dataset_info:", "was_info:"))
    with pytest.raises(PublishError, match="does not tell the columns, files and counts of a config 'default'"):
        publish(make("irish", seed=1), Target(REPO, append=True))


@pytest.mark.parametrize("lost", ["dataset_info:", "configs:", "---"])
def test_rows_that_their_own_card_does_not_count_are_not_added(lost: str, hub: HubServer, make: Make) -> None:
    publish(make("welsh"), Target(REPO))
    second = make("irish", seed=1)
    card = second / "dataset/README.md"
    card.write_text(card.read_text().replace(f"{lost}\n", "once:\n", 1))
    with pytest.raises(PublishError, match="does not tell the columns, files and counts of its rows"):
        publish(second, Target(REPO, append=True))
    assert hub.repos[REPO].commits == 1


def test_an_addition_to_rows_without_a_card_is_not_proposed_as_their_replacement(hub: HubServer, make: Make) -> None:
    publish(make("welsh"), Target(REPO))
    hub.edit(REPO, "README.md", "")
    with pytest.raises(PublishError, match="does not tell the columns, files and counts of a config 'default'"):
        publish(make("irish", seed=1), Target(REPO, append=True, pull=True))


def test_rows_are_added_to_a_card_alone_as_they_are_published(hub: HubServer, make: Make) -> None:
    publish(make("welsh"), Target(REPO))
    for path in [*shards(hub), "recipe.yaml"]:
        del hub.repos[REPO].head[path]
    hub.edit(REPO, "README.md", "# Only words")
    publish(make("irish", rows=3, seed=1), Target(REPO, append=True))
    assert len(shards(hub)) == 2 and "# Only words" in hub.text(REPO, "README.md")


def test_what_was_added_is_gone_from_the_card_once_it_is_overwritten(hub: HubServer, make: Make) -> None:
    first = make("welsh")
    publish(first, Target(REPO))
    fresh = dict(hub.repos[REPO].head)
    publish(make("irish", rows=3, seed=1), Target(REPO, append=True))
    publish(make("breton", rows=3, seed=2), Target(REPO, append=True))
    assert "## Addition 3" in hub.text(REPO, "README.md")
    assert header(hub)["dataset_info"]["splits"][0]["num_examples"] == 12
    publish(first, Target(REPO, overwrite=True))
    assert {path: file.oid for path, file in hub.repos[REPO].head.items()} == {p: f.oid for p, f in fresh.items()}


def test_what_is_the_owners_is_so_after_an_addition_too(hub: HubServer, make: Make) -> None:
    first = make("welsh")
    publish(first, Target(REPO))
    hub.edit(REPO, "README.md", hub.text(REPO, "README.md").replace("tags:\n", "tags:\n- celtic\n"))
    publish(make("irish", seed=1, languages=("en", "ga"), generators=("glan",)), Target(REPO, append=True))
    assert {"celtic", "glan", "self-instruct"} <= set(header(hub)["tags"])
    assert header(hub)["language"] == ["en", "ga"]
    publish(first, Target(REPO, overwrite=True))
    assert "celtic" in header(hub)["tags"]
    assert "glan" not in header(hub)["tags"]
    assert header(hub)["language"] == ["en"]
    assert "Addition" not in hub.text(REPO, "README.md")


def test_hand_edits_survive_three_pushes_and_counts_are_fresh(hub: HubServer, make: Make) -> None:
    publish(make("one"), Target(REPO))
    card = hub.text(REPO, "README.md").replace("license: cc-by-4.0", "license: mit\nmy_key: [1, 2]")
    hub.edit(REPO, "README.md", card.replace("## Columns", "I looked at all of these rows.\n\n## Columns"))
    for number, rows in enumerate((4, 8, 10), 1):
        publish(make(f"again-{number}", rows=rows, seed=number), Target(REPO, overwrite=True))
        found = header(hub)
        assert found["license"] == "mit"
        assert found["my_key"] == [1, 2]
        assert found["dataset_info"]["splits"][0]["num_examples"] == rows
        assert "I looked at all of these rows." in hub.text(REPO, "README.md")


def test_a_card_that_an_editor_saved_with_a_byte_order_mark_keeps_its_header(hub: HubServer, make: Make) -> None:
    run = make("welsh")
    card = run / "dataset/README.md"
    card.write_text(card.read_text().replace("license: cc-by-4.0", "license: mit"), encoding="utf-8-sig")
    publish(run, Target(REPO))
    assert hub.text(REPO, "README.md").startswith("---\n")
    assert header(hub)["license"] == "mit"


def test_a_public_repository_gets_nothing_unless_public_is_said(hub: HubServer, make: Make) -> None:
    run, other = make("welsh"), make("other", seed=1)
    publish(run, Target(REPO, public=True))
    with pytest.raises(PublishError, match="is public"):
        publish(other, Target(REPO, overwrite=True))
    assert hub.repos[REPO].commits == 1
    publish(other, Target(REPO, overwrite=True, public=True))
    publish(run, Target("ada/later"))
    publish(run, Target("ada/later", public=True))
    assert not hub.repos["ada/later"].private


def test_a_change_can_be_proposed(hub: HubServer, make: Make) -> None:
    publish(make("welsh"), Target(REPO))
    done = publish(make("other", rows=2, seed=1), Target(REPO, pull=True))
    repo = hub.repos[REPO]
    assert done.address == f"{hub.url}/datasets/{REPO}/discussions/1"
    assert repo.commits == 1
    assert sum(path.endswith(".parquet") for path in repo.trees[repo.branches["refs/pr/1"][-1]]) == 1


def test_a_branch_is_made_where_it_is_named(hub: HubServer, make: Make) -> None:
    publish(make("welsh"), Target(REPO, revision="draft"))
    repo = hub.repos[REPO]
    assert repo.commits == 0
    assert "recipe.yaml" in repo.trees[repo.branches["draft"][-1]]


def test_a_card_alone_is_no_dataset_to_be_refused_and_stays(hub: HubServer, make: Make) -> None:
    publish(make("welsh"), Target("ada/other"))
    hub.repos[REPO] = repo = hub.repos.pop("ada/other")
    repo.commit("main", {".gitattributes": repo.head[".gitattributes"]}, "emptied")
    hub.edit(REPO, "README.md", "---\nlicense: mit\n---\n\n# Welsh\n\nMine.\n")
    publish(make("welsh-2"), Target(REPO))
    assert header(hub)["license"] == "mit"
    assert "Mine." in hub.text(REPO, "README.md")
    assert header(hub)["dataset_info"]["splits"][0]["num_examples"] == 6


def test_a_run_whose_recipe_asks_for_it_is_published_once_complete(hub: HubServer, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"instruction": "Say hello.", "output": "Helo"}\n' * 3)
    rows = f"{{use: rows, path: {tmp_path / 'rows.jsonl'}}}"
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"{{name: asked, generator: {rows}, publish: {{repo: {REPO}}}}}")
    run = ["run", str(recipe), "-o", str(tmp_path / "run"), "-q"]
    done = CliRunner().invoke(app, run)
    assert done.exit_code == 0, done.output
    assert f"published: {hub.url}/datasets/{REPO}/commit/" in done.stderr
    infos = header(hub)["dataset_info"]
    assert {info["config_name"]: info["splits"][0]["num_examples"] for info in infos} == {"default": 3, "full": 3}
    assert "publish" not in yaml.safe_load(hub.text(REPO, "recipe.yaml"))
    assert CliRunner().invoke(app, run).exit_code == 0
    assert hub.repos[REPO].commits == 1
