"""Seeds read from every format that people have them in."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmsynth.sources import BUILTIN, Seed, Seeds, read_rows, read_seeds

SELF_INSTRUCT = {
    "id": "seed_task_0",
    "name": "opposites",
    "instruction": "Name the opposite of the given NASA term.",
    "instances": [{"input": "apogee", "output": "perigee"}, {"input": "ascent", "output": "descent"}],
    "is_classification": False,
}
ALPACA = [
    {"instruction": "Sort the numbers.", "input": "3 1 2", "output": "1 2 3"},
    {"instruction": "Say hello in Welsh.", "input": "", "output": "Helo"},
]
PAIRS = [(row["instruction"], ((row["input"], row["output"]),)) for row in ALPACA]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def lines(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def pairs(seeds: Seeds) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    return [(seed.instruction, seed.instances) for seed in seeds]


def test_self_instruct_lines_keep_every_instance_and_the_case(tmp_path: Path) -> None:
    assert read_seeds(write(tmp_path / "seeds.jsonl", lines(SELF_INSTRUCT))) == [
        Seed(
            id="seed_task_0",
            instruction="Name the opposite of the given NASA term.",
            instances=(("apogee", "perigee"), ("ascent", "descent")),
            is_classification=False,
            source="seeds.jsonl:1",
        )
    ]


def save_csv(path: Path) -> Path:
    return write(
        path / "a.csv",
        'instruction,input,output\r\nSort the numbers.,3 1 2,"1 2 3"\r\n\r\nSay hello in Welsh.,,Helo\r\n',
    )


def save_parquet(path: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(ALPACA), path / "a.parquet")
    return path / "a.parquet"


def save_parquet_folder(path: Path) -> Path:
    (path / "hub" / "data").mkdir(parents=True)
    save_parquet(path).rename(path / "hub" / "data" / "train-00000-of-00001.parquet")
    write(path / "hub" / "data" / "test-00000-of-00001.parquet", "never read")
    return path / "hub"


def save_to_disk(path: Path) -> Path:
    import datasets

    datasets.Dataset.from_list(ALPACA).save_to_disk(path / "saved", num_shards=2)
    return path / "saved"


def save_splits_to_disk(path: Path) -> Path:
    import datasets

    train = datasets.Dataset.from_list(ALPACA)
    datasets.DatasetDict({"test": train.select([0]), "train": train}).save_to_disk(path / "splits")
    return path / "splits"


FORMATS: dict[str, Callable[[Path], Path]] = {
    "json array": lambda path: write(path / "a.json", json.dumps(ALPACA, indent=1)),
    "json lines": lambda path: write(path / "a.jsonl", lines(*ALPACA)),
    "json lines named json": lambda path: write(path / "a.json", lines(*ALPACA)),
    "array named jsonl": lambda path: write(path / "a.jsonl", json.dumps(ALPACA)),
    "capital ending": lambda path: write(path / "A.JSONL", lines(*ALPACA)),
    "byte order mark": lambda path: write(path / "a.jsonl", b"\xef\xbb\xbf" + lines(*ALPACA).encode()),
    "array with byte order mark": lambda path: write(path / "a.json", b"\xef\xbb\xbf" + json.dumps(ALPACA).encode()),
    "windows line ends": lambda path: write(path / "a.jsonl", lines(*ALPACA).replace("\n", "\r\n")),
    "blank lines": lambda path: write(path / "a.jsonl", "\n" + lines(*ALPACA).replace("\n", "\n\n  \n")),
    "no last line end": lambda path: write(path / "a.ndjson", lines(*ALPACA).rstrip()),
    "csv": save_csv,
    "csv with byte order mark": lambda path: write(path / "b.csv", b"\xef\xbb\xbf" + save_csv(path).read_bytes()),
    "tsv": lambda path: write(path / "a.tsv", save_csv(path).read_text().replace(",", "\t").replace('"', "")),
    "parquet": save_parquet,
    "folder of the hub": save_parquet_folder,
    "save_to_disk": save_to_disk,
    "save_to_disk with splits": save_splits_to_disk,
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_seeds(name: str, tmp_path: Path) -> None:
    assert pairs(read_seeds(FORMATS[name](tmp_path))) == PAIRS


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Add.", "context": "1 1", "completion": "2"},
        {"question": "Add.", "input": "1 1", "answer": "2"},
        {"instruction": "Add.", "context": "1 1", "response": "2", "category": "maths"},
        {"instruction": None, "prompt": "  Add.\n", "input": None, "context": "1 1", "output": "2"},
    ],
)
def test_other_names_for_the_fields_are_understood(row: dict[str, Any], tmp_path: Path) -> None:
    assert pairs(read_seeds(write(tmp_path / "a.jsonl", lines(row)))) == [("Add.", (("1 1", "2"),))]


def test_an_input_that_is_null_or_absent_is_empty(tmp_path: Path) -> None:
    rows = [{"instruction": "One?", "input": None, "output": "1"}, {"instruction": "Two?", "output": "2"}]
    assert [seed.instances for seed in read_seeds(write(tmp_path / "a.jsonl", lines(*rows)))] == [
        (("", "1"),),
        (("", "2"),),
    ]


@pytest.mark.parametrize(
    "row",
    [
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Why is the sky blue?"},
                {"role": "assistant", "content": "Scattering."},
                {"role": "user", "content": "And at dusk?"},
                {"role": "assistant", "content": "Red."},
            ]
        },
        {
            "conversations": [
                {"from": "human", "value": "Why is the sky blue?"},
                {"from": "gpt", "value": "Scattering."},
            ]
        },
    ],
)
def test_of_a_conversation_the_first_exchange_is_the_seed(row: dict[str, Any], tmp_path: Path) -> None:
    seeds = read_seeds(write(tmp_path / "a.jsonl", lines(row)))
    assert pairs(seeds) == [("Why is the sky blue?", (("", "Scattering."),))]


def test_what_llmsynth_writes_can_be_its_seeds(tmp_path: Path) -> None:
    from llmsynth.dataset import write_dataset
    from llmsynth.record import Record

    records = [Record(f"r{number}", dict(row)) for number, row in enumerate(ALPACA)]
    write_dataset(records, tmp_path / "dataset", {name: "string" for name in ALPACA[0]})
    seeds = read_seeds(tmp_path / "dataset")
    assert pairs(seeds) == PAIRS
    assert [seed.id for seed in seeds] == ["r0", "r1"]
    assert seeds[1].source == "dataset/data/train-00000-of-00001.parquet:2"


def test_the_seeds_that_come_with_llmsynth_are_read_by_name() -> None:
    shipped = Path(sys.modules["llmsynth.errors"].__file__ or "").parent / "data" / "seeds.jsonl"
    if not shipped.exists():
        pytest.skip("this checkout has no seed file")
    seeds = read_seeds(BUILTIN)
    assert seeds == read_seeds(None) == read_seeds(shipped)
    assert len({seed.id for seed in seeds}) == len(seeds) >= 100
    assert not seeds.duplicates


def test_ids_come_from_the_row_or_from_its_place(tmp_path: Path) -> None:
    rows = [{**ALPACA[0], "id": 7}, ALPACA[1], {"instruction": "Third?", "output": "3", "id": ""}]
    seeds = read_seeds(write(tmp_path / "mine.jsonl", lines(*rows)))
    assert [seed.id for seed in seeds] == ["7", "mine:2", "mine:3"]
    assert [seed.source for seed in seeds] == ["mine.jsonl:1", "mine.jsonl:2", "mine.jsonl:3"]


def test_a_csv_row_is_placed_at_the_line_it_begins_on(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'instruction,output\n"two\nlines","x\ny"\nnext,z\n')
    assert [(seed.instruction, seed.source) for seed in read_seeds(path)] == [
        ("two\nlines", "a.csv:2"),
        ("next", "a.csv:5"),
    ]


@pytest.mark.parametrize(("word", "truth"), [("True", True), ("false", False), ("", None)])
def test_csv_says_in_words_whether_a_task_is_classification(word: str, truth: bool | None, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f"instruction,output,is_classification\nGood or bad?,good,{word}\n")
    assert read_seeds(path)[0].is_classification is truth


def test_a_line_separator_inside_a_text_ends_no_line(tmp_path: Path) -> None:
    row = {"instruction": "One\u2028two\x85three", "output": "1"}
    path = write(tmp_path / "a.jsonl", json.dumps(row, ensure_ascii=False))
    assert read_seeds(path)[0].instruction == row["instruction"]


def test_a_repeated_instruction_is_kept_once_and_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [*ALPACA, {"instruction": "sort  the NUMBERS.", "input": "9 8", "output": "8 9"}]
    with caplog.at_level(logging.WARNING):
        seeds = read_seeds(write(tmp_path / "a.jsonl", lines(*rows)))
    assert pairs(seeds) == PAIRS
    assert [seed.source for seed in seeds.duplicates] == ["a.jsonl:3"]
    assert "1 (a.jsonl:3)" in caplog.text


def test_rows_of_any_shape_can_be_read_one_by_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"text": "x", "label": 1}\nnonsense\n{"text": "y", "label": 2}\n')
    rows = list(read_rows(path))
    assert [row.values for row in rows] == [{"text": "x", "label": 1}, {}, {"text": "y", "label": 2}]
    assert [bool(row.problem) for row in rows] == [False, True, False]


def test_text_formats_are_read_without_heavy_imports(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", lines(*ALPACA))
    code = (
        "import sys\nfrom llmsynth.sources import read_seeds\nread_seeds(sys.argv[1])\n"
        "print([name for name in ('pyarrow', 'pandas', 'datasets', 'numpy') if name in sys.modules])"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
