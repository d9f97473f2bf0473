"""The command line as a person types it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

import llmsynth as llmsynth_package
from llmsynth.cli import main

RECIPE = """\
name: tried
target: 12
generator: {use: self-instruct, lookahead: 2}
models:
  default: {use: fake, function: "tests.teacher:reply"}
"""


class Outcome:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def llmsynth(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent))

    def call(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["llmsynth", *arguments])
        with pytest.raises(SystemExit) as exit:
            main()
        captured = capsys.readouterr()
        return Outcome(exit.value.code or 0, captured.out, captured.err)

    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return call


def test_run_makes_a_dataset_and_prints_only_its_folder_on_stdout(llmsynth) -> None:
    outcome = llmsynth("run", "recipe.yaml", "-o", "out")
    assert outcome.code == 0
    assert outcome.out == "out/dataset\n"
    assert "12 kept" in outcome.err
    report = json.loads(Path("out/report.json").read_text())
    rows = report["rows"]
    assert rows["in"] == rows["kept"] + sum(rows["dropped"].values()) + sum(rows["failed"].values())


def test_validate_lists_the_seeds_that_a_benchmark_holds(llmsynth) -> None:
    shipped = (Path(llmsynth_package.__file__).parent / "data/seeds.jsonl").read_text(encoding="utf-8")
    seeds = [json.loads(line) for line in shipped.splitlines()]
    held = next(seed for seed in seeds if len(seed["instruction"].split()) > 15)
    question = {"question": held["instruction"].upper() + " And why?", "answer": "x"}
    Path("bench.jsonl").write_text(json.dumps(question))
    outcome = llmsynth("validate", "recipe.yaml", "--against", "bench.jsonl")
    assert outcome.code == 0
    assert [line.split("\t")[0] for line in outcome.out.splitlines()] == [held["id"]]
    assert "1 of the seeds overlap" in outcome.err
    Path("clean.jsonl").write_text('{"question": "How deep is the lake behind the mill?"}')
    assert llmsynth("validate", "recipe.yaml", "--against", "clean.jsonl").out == ""


def test_run_again_says_the_same_and_asks_for_nothing(llmsynth) -> None:
    llmsynth("run", "recipe.yaml", "-o", "out")
    before = Path("out/journal.jsonl").read_bytes()
    assert llmsynth("run", "recipe.yaml", "-o", "out").code == 0
    assert Path("out/journal.jsonl").read_bytes() == before


def test_short_of_the_target_ends_with_code_3_and_says_why(llmsynth) -> None:
    text = RECIPE.replace("reply", "silent").replace("lookahead: 2", "lookahead: 2, stall_requests: 3")
    Path("recipe.yaml").write_text(text)
    outcome = llmsynth("run", "recipe.yaml", "-o", "out")
    assert outcome.code == 3
    assert "stalled" in outcome.err and "short of the target" in outcome.err
    assert "of the reply 'I would rather not.'" in outcome.err


def test_rows_lost_are_explained_by_the_replies_of_the_most_frequent_reasons(llmsynth) -> None:
    generator = {"use": "tests.plugins:Echoes", "count": 40}
    recipe = {"generator": generator, "models": {"default": {"use": "fake", "function": "tests.plugins:last_words"}}}
    recipe |= {"steps": [{"use": "tests.plugins:odd"}, {"use": "exact-duplicates", "on": ["output"]}]}
    Path("recipe.yaml").write_text(json.dumps(recipe))
    assert llmsynth("run", "recipe.yaml", "-o", "out").code == 0  # 4 of 40 are kept, and that is no error
    (Path("out") / "report.json").unlink()
    outcome = llmsynth("run", "recipe.yaml", "-o", "out", "--min-yield", "0.2")
    assert outcome.code == 3
    assert "WARNING: nearly nothing survived: 4 of 40 rows" in outcome.err
    assert "20 (50%) odd, by tests.plugins:odd; for example 000001:" in outcome.err
    assert "16 (40%) exact_duplicate, by exact-duplicates; for example 000002:\n    same as 000000\n" in outcome.err
    assert outcome.err.count("    of the reply 'answer 0'\n") == 2
    assert "`llmsynth show out 000001` shows what was asked" in outcome.err


def test_a_run_that_keeps_nothing_never_ends_as_if_all_were_well(llmsynth) -> None:
    recipe = {
        "generator": {"use": "tests.plugins:Echoes", "count": 3},
        "models": {"default": {"use": "fake", "function": "tests.plugins:last_words"}},
        "steps": [{"use": "tests.plugins:nothing"}],
    }
    Path("recipe.yaml").write_text(json.dumps(recipe))
    outcome = llmsynth("run", "recipe.yaml", "-o", "out")
    assert outcome.code == 3 and "0 kept + 3 dropped + 0 failed" in outcome.err
    warning = outcome.err[outcome.err.index("WARNING: nearly nothing survived: 0 of 3 rows") :]
    assert "3 (100%) no, by tests.plugins:nothing; for example 000000:" in warning
    again = llmsynth("run", "recipe.yaml", "-o", "out")
    assert again.code == 3 and "it was finished already" in again.err and again.err.endswith(warning)


def test_self_instruct_prints_a_recipe_that_run_accepts(llmsynth) -> None:
    printed = llmsynth(
        "self-instruct", "-m", "some/model", "--base-url", "http://127.0.0.1:9/v1", "-n", "7", "--print-recipe"
    )
    recipe = yaml.safe_load(printed.out)
    assert recipe["target"] == 7
    assert recipe["models"]["default"]["model"] == "some/model"
    Path("printed.yaml").write_text(printed.out)
    assert llmsynth("validate", "printed.yaml").code == 0


def test_preview_shows_prompt_reply_and_rows(llmsynth) -> None:
    outcome = llmsynth("preview", "recipe.yaml", "-n", "2")
    assert outcome.code == 0
    assert "Here is the start of a list of tasks" in outcome.out
    assert "Class label:" in outcome.out or "Example 1" in outcome.out
    assert "record 0-0-0: kept" in outcome.out


def test_a_preview_with_out_is_not_paid_for_again_by_the_run(llmsynth) -> None:
    llmsynth("preview", "recipe.yaml", "-n", "2", "-o", "out")
    paid = {json.loads(line)["key"] for line in Path("out/journal.jsonl").read_text().splitlines()}
    assert llmsynth("run", "recipe.yaml", "-o", "out", "--update").code == 0
    lines = Path("out/journal.jsonl").read_text().splitlines()
    keys = [json.loads(line)["key"] for line in lines]
    assert len(keys) == len(set(keys))
    assert paid < set(keys)


def test_status_tells_answers_and_rows(llmsynth) -> None:
    llmsynth("run", "recipe.yaml", "-o", "out")
    outcome = llmsynth("status", "out")
    assert "instructions:" in outcome.out and "finished: 12 kept" in outcome.out


def test_show_gives_the_exact_prompt_and_reply_behind_a_record(llmsynth) -> None:
    llmsynth("run", "recipe.yaml", "-o", "out")
    listing = llmsynth("show", "out").out
    first = next(line.split("\t")[0] for line in listing.splitlines() if "\tkept\t" in line)
    shown = llmsynth("show", "out", first).out
    for line in Path("out/journal.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry["stage"] == "instructions" and first.startswith("0-"):
            assert entry["text"] in shown
            break
    assert f"record {first}: kept" in shown
    assert llmsynth("show", "out", "no-such").code == 1


def test_prompts_can_be_listed_shown_copied_and_used(llmsynth) -> None:
    assert "self_instruct/instructions.jinja" in llmsynth("prompts", "ls").out
    assert "{{ first }}" in llmsynth("prompts", "show", "self_instruct/instructions.jinja").out
    assert llmsynth("prompts", "copy", "mine").code == 0
    Path("mine/self_instruct/classification.jinja").write_text("Is it one? {{ instruction }}")
    llmsynth("run", "recipe.yaml", "-o", "out", "--set", "prompts=mine")
    assert '"content":"Is it one? ' in Path("out/journal.jsonl").read_text()
    assert llmsynth("prompts", "copy", "mine").code == 1


def test_help_teaches_and_loads_nothing_heavy() -> None:
    script = (
        "import sys\nfrom llmsynth.cli import main\nsys.argv = ['llmsynth', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'transformers', 'vllm', 'datasets', 'pandas', 'numpy', 'pyarrow', 'aiohttp'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "llmsynth run demo" in done.stdout
    assert "goes on" in done.stdout.replace("\n", " ").replace("  ", " ")


def test_a_wrong_option_is_a_usage_error(llmsynth) -> None:
    assert llmsynth("run", "recipe.yaml", "--bogus").code == 2


@pytest.mark.parametrize("name", ["run", "self-instruct", "preview", "validate", "status", "show", "prompts"])
def test_every_command_has_help(llmsynth, name: str) -> None:
    outcome = llmsynth(name, "--help")
    assert outcome.code == 0
    assert len(outcome.out) > 200


def test_ctrl_c_keeps_every_answer_and_exits_130(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import time\nfrom tests.teacher import reply\n\n"
        "def slowly(request):\n    time.sleep(0.01)\n    return reply(request)\n"
    )
    (tmp_path / "recipe.yaml").write_text(RECIPE.replace("tests.teacher:reply", "slow:slowly").replace("12", "150"))
    environment = {"PATH": "", "PYTHONPATH": f"{tmp_path}:{Path(__file__).parent.parent}"}
    command = [sys.executable, "-m", "llmsynth", "run", "recipe.yaml", "-o", "out"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    journal = tmp_path / "out" / "journal.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (journal.exists() and journal.stat().st_size):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err and "goes on from here" in err
    assert len(journal.read_text().splitlines()) > 0
    again = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert again.returncode == 0, again.stderr


def test_a_second_run_of_a_finished_run_says_that_nothing_was_asked(llmsynth) -> None:
    llmsynth("run", "recipe.yaml", "-o", "out")
    again = llmsynth("run", "recipe.yaml", "-o", "out")
    assert again.code == 0
    assert "finished already: nothing was asked" in again.err
    assert "requests" not in again.err


def test_only_a_variant_of_self_instruct_is_taken_for_one(llmsynth) -> None:
    outcome = llmsynth("self-instruct", "--variant", "glan", "--print-recipe")
    assert outcome.code == 2
    assert "alpaca" in outcome.err


def test_a_misspelt_pocket_is_not_taken_for_a_hosted_model(llmsynth) -> None:
    outcome = llmsynth("self-instruct", "-m", "poket", "-o", "out")
    assert outcome.code == 1
    assert outcome.err.startswith("error: no model 'poket'")
    assert "did you mean pocket?" in outcome.err


def test_a_recipe_whose_seeds_are_missing_leaves_no_directory_behind(llmsynth) -> None:
    outcome = llmsynth("run", "recipe.yaml", "-o", "out", "--set", "generator.seeds=nowhere.jsonl")
    assert outcome.code == 1
    assert not Path("out").exists()


def test_a_benchmark_without_text_is_an_error_and_not_an_overlap_of_none(llmsynth) -> None:
    Path("numbers.jsonl").write_text('{"a": 1}\n{"a": 2}\n')
    outcome = llmsynth("validate", "recipe.yaml", "--against", "numbers.jsonl")
    assert outcome.code == 1
    assert "numbers.jsonl holds no text to compare with" in outcome.err


def test_showing_a_reason_that_no_record_has_tells_the_reasons_there_are(llmsynth) -> None:
    llmsynth("run", "recipe.yaml", "-o", "out")
    outcome = llmsynth("show", "out", "--dropped", "no_such_reason")
    assert outcome.code == 0 and outcome.out == ""
    assert "no record was dropped for 'no_such_reason'" in outcome.err


def test_the_version_is_printed_without_a_command(llmsynth) -> None:
    outcome = llmsynth("--version")
    assert (outcome.code, outcome.out) == (0, f"{llmsynth_package.__version__}\n")


def test_a_target_that_the_seeds_alone_meet_is_told(llmsynth) -> None:
    recipe = Path("recipe.yaml").read_text().replace("{use: self-instruct, lookahead: 2}", "{use: evol-instruct}")
    Path("evolve.yaml").write_text(recipe)
    outcome = llmsynth("run", "evolve.yaml", "-o", "out")
    assert "nothing was evolved: the seeds alone met the target" in outcome.err


def test_a_preview_of_a_model_that_makes_nothing_of_the_prompts_ends_soon_and_shows_what_it_said(llmsynth) -> None:
    own = ["--set", "generator={use: 'tests.plugins:Echoes'}", "--set", "generator.count=2000"]
    own += ["--set", "steps=[{use: 'tests.plugins:never'}]"]
    outcome = llmsynth("preview", "recipe.yaml", "-n", "1", *own)
    assert outcome.code == 1 and "the cap of 350 requests is reached" in outcome.err
    assert "never" in outcome.out + outcome.err
    kept = Path(outcome.err.partition("`llmsynth show ")[2].partition("`")[0])
    assert llmsynth("show", str(kept)).code == 0


def test_glan_asks_for_a_model_that_knows_the_world(llmsynth) -> None:
    outcome = llmsynth("glan", "-n", "3")
    assert outcome.code == 1 and "no model is named" in outcome.err and "--model" in outcome.err


def test_status_of_a_finished_run_tells_of_no_failure_that_nothing_waits_for(llmsynth) -> None:
    llmsynth("run", "recipe.yaml", "-o", "out")
    with Path("out/journal.jsonl").open("a") as journal:
        failure = {"kind": "http_400", "message": "no", "attempts": 1}
        journal.write(json.dumps({"failed": "0" * 32, "stage": "instructions", "failure": failure}) + "\n")
    told = llmsynth("status", "out").out
    assert "12 kept" in told and "http_400" not in told
    Path("out/report.json").unlink()
    assert "instructions: 1 failed with http_400" in llmsynth("status", "out").out
