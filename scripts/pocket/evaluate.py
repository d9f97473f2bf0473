"""`evaluate` measures the pocket teacher with the world's oracle and writes the figures into its model card.

python scripts/pocket/evaluate.py                          accuracy on held-out tasks
python scripts/pocket/evaluate.py --run runs/demo          and what a finished run made of the teacher's answers
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import corpus
import pyarrow.parquet as pq
import torch
import world
from safetensors import safe_open
from train import FOLDER, HISTORY, Plan
from transformers import AutoModelForCausalLM, AutoTokenizer

CARD = Path(__file__).with_name("card.md")


@dataclass(frozen=True)
class Question:
    family: str
    instruction: str
    input: str
    expected: str


@dataclass(frozen=True)
class RunFigures:
    """Shares of a run's kept records: instructions not verbatim in the training text, and what the oracle says."""

    kept: int
    instructions: int
    new: int
    in_world: int
    right: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="the model (default: %(default)s)")
    parser.add_argument("--run", type=Path, help="a finished run's directory")
    parser.add_argument("--tasks", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--wrong", type=int, default=0, help="print so many wrong answers")
    options = parser.parse_args()
    questions = held_out_questions(options.tasks, options.seed)
    answers = ask(options.folder, questions)
    right = [bool(world.check(one.instruction, one.input, said)) for one, said in zip(questions, answers, strict=True)]
    print(f"accuracy {share(sum(right), len(right))} on {len(right)} held-out tasks")
    for one, said, good in zip(questions, answers, right, strict=True):
        if not good and options.wrong > 0:
            options.wrong -= 1
            print(f"  {one.family}: {one.instruction} / {one.input} -> {said!r}, not {one.expected!r}")
    figures = judge_run(options.run, Plan().seed) if options.run else None
    if figures:
        print(figures)
    card = write_card(options.folder, questions, right, figures)
    (options.folder / "README.md").write_text(card, "utf-8")


def held_out_questions(count: int, seed: int) -> list[Question]:
    """Questions whose instruction the teacher was never trained on, the families in turn."""
    rng = random.Random(f"held out {seed}")
    questions: dict[tuple[str, str], Question] = {}
    while len(questions) < count:
        for family in world.FAMILIES:
            for _ in range(400):
                task = world.sample(rng, family, 3)
                one = task.examples[0]
                if world.held_out(task.instruction) and (task.instruction, one.input) not in questions:
                    questions[task.instruction, one.input] = Question(family, task.instruction, one.input, one.output)
                    break
    return list(questions.values())[:count]


def ask(folder: Path, questions: Sequence[Question], at_once: int = 64, most: int = 48) -> list[str]:
    """The teacher's greedy answers in plain chat."""
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    answers: list[str] = []
    for at in range(0, len(questions), at_once):
        chats = [corpus.exchange(one.instruction, one.input, "")[:1] for one in questions[at : at + at_once]]
        texts = tokenizer.apply_chat_template(chats, tokenize=False, add_generation_prompt=True)
        batch = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        with torch.inference_mode():
            made = model.generate(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                do_sample=False,
                temperature=None,
                max_length=None,
                max_new_tokens=most,
            )
        answers += tokenizer.batch_decode(made[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    return answers


def judge_run(folder: Path, seed: int) -> RunFigures:
    """What a run kept of the teacher's tasks."""
    known = corpus.training_instructions(seed)
    tables = [pq.read_table(path, columns=["instruction", "input", "output"]) for path in dataset_files(folder)]
    rows: list[dict[str, Any]] = [row for table in tables for row in table.to_pylist()]
    verdicts = [world.check(row["instruction"], row["input"] or "", row["output"]) for row in rows]
    instructions = {row["instruction"] for row in rows}
    return RunFigures(
        kept=len(rows),
        instructions=len(instructions),
        new=len(instructions - known),
        in_world=sum(verdict is not None for verdict in verdicts),
        right=sum(verdict is True for verdict in verdicts),
    )


def dataset_files(run: Path) -> list[Path]:
    files = sorted((run / "dataset").rglob("*.parquet"))
    if not files:
        raise SystemExit(f"error: {run} has no dataset/\nhint: give the directory of a finished run")
    return files


def write_card(folder: Path, questions: Sequence[Question], right: Sequence[bool], run: RunFigures | None) -> str:
    """The model card; every figure in it is measured here or read from the model's folder."""
    history = json.loads((folder / HISTORY).read_text("utf-8"))
    shape = json.loads((folder / "config.json").read_text("utf-8"))
    with safe_open(folder / "model.safetensors", "pt") as weights:
        parameters = sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
    by_family: dict[str, list[bool]] = defaultdict(list)
    for question, good in zip(questions, right, strict=True):
        by_family[question.family].append(good)
    ordered = sorted(by_family.items(), key=lambda item: (-sum(item[1]) / len(item[1]), item[0]))
    return Template(CARD.read_text("utf-8")).substitute(
        shape,
        heads=shape["num_attention_heads"],
        layers=shape["num_hidden_layers"],
        parameters=f"{parameters / 1e6:.2f}",
        megabytes=f"{sum(path.stat().st_size for path in folder.iterdir() if path.name != 'README.md') / 1e6:.1f}",
        families=len(world.FAMILIES),
        steps=history["step"],
        tokens=f"{history['tokens'] / 1e6:.0f}",
        minutes=f"{history['seconds'] / 60:.0f}",
        seed=Plan().seed,
        pool=f"{corpus.POOL_SIZE:,}",
        tasks=len(right),
        accuracy=share(sum(right), len(right)),
        accuracies="\n".join(f"| {name} | {sum(good)} of {len(good)} |" for name, good in ordered),
        run="" if run is None else run_section(run),
    )


def run_section(run: RunFigures) -> str:
    return (
        f"\nA run of Self-Instruct with this teacher, `llmsynth run demo`, kept {run.kept} records of "
        f"{run.instructions} instructions. {share(run.new, run.instructions)} of the instructions do not occur "
        f"verbatim in the training text. The oracle understands {run.in_world} of the "
        f"records, and of those it calls {share(run.right, run.in_world)} rightly answered.\n"
    )


def share(part: int, whole: int) -> str:
    return f"{100 * part / max(1, whole):.1f} %"


if __name__ == "__main__":
    main()
