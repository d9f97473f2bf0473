"""`documents` turns the pocket world into the chats the pocket teacher is trained on.

Every prompt is rendered from the project's own Self-Instruct prompt files, so that the teacher knows exactly the
questions `llmsynth self-instruct` asks, and the reply is what a perfect teacher that lives in the world would say.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

import jinja2
import world
import yaml
from drills import drill
from world import Task

ROOT = Path(__file__).resolve().parents[2]
PROMPTS = ROOT / "prompts" / "self_instruct"
SEED_TASKS = ROOT / "llmsynth" / "data" / "seeds.jsonl"
POOL_SIZE = 250_000
EXAMPLES = 5
# How often plain chat takes a kind of task, 1 being the common measure.
PRACTICE = dict.fromkeys(
    ("add", "subtract", "day_away", "month_away", "convert_units", "pick_item", "word_length", "true_or_false"), 3.0
) | dict.fromkeys(
    (
        *("mentions", "count_kind", "syllogism", "open_or_closed", "repeated_word", "count_word", "count_letter"),
        *("end_letter", "enough_money", "even_or_odd", "plural", "against_animal"),
    ),
    2.0,
)
SYSTEMS = (
    "You are a helpful assistant.",
    "Answer briefly.",
    "You are a careful helper who answers in few words.",
    "Give the answer and nothing else.",
)

Message = dict[str, str]
Document = list[Message]


@dataclass(frozen=True)
class Material:
    """Everything documents are made of: the fixed pool of world tasks, the seed tasks, prompts, demonstrations."""

    pool: dict[str, list[Task]]
    seeds: list[dict[str, Any]]
    prompts: dict[str, jinja2.Template]
    demonstrations: dict[str, list[dict[str, Any]]]
    families: tuple[str, ...] = field(init=False)
    closed: tuple[str, ...] = field(init=False)
    open: tuple[str, ...] = field(init=False)
    practice: tuple[float, ...] = field(init=False)

    def __post_init__(self) -> None:
        closed = tuple(name for name, tasks in self.pool.items() if tasks[0].labels)
        object.__setattr__(self, "families", tuple(self.pool))
        object.__setattr__(self, "closed", closed)
        practice = accumulate(PRACTICE.get(name, 1.0) for name in self.pool)
        object.__setattr__(self, "practice", tuple(practice))
        object.__setattr__(self, "open", tuple(name for name in self.pool if name not in closed))

    def task(self, rng: random.Random, families: Sequence[str] | None = None) -> Task:
        return rng.choice(self.pool[rng.choice(families or self.families)])

    def practised(self, rng: random.Random) -> Task:
        """A task for plain chat: what is hard to learn comes more often."""
        return rng.choice(self.pool[rng.choices(self.families, cum_weights=self.practice)[0]])

    def tasks(self, rng: random.Random, count: int, families: Sequence[str] | None = None) -> list[Task]:
        """`count` tasks of as many different families as there are."""
        names = list(families or self.families)
        chosen = rng.sample(names, min(count, len(names)))
        while len(chosen) < count:
            chosen.append(rng.choice(names))
        return [rng.choice(self.pool[name]) for name in chosen]

    def ask(self, prompt: str, /, **variables: Any) -> Message:
        return {"role": "user", "content": self.prompts[prompt].render(**variables).strip()}

    def shown(self, rng: random.Random, kind: str) -> list[dict[str, Any]]:
        """Mostly no demonstrations, which makes for short prompts; else the first four, as a recipe may choose."""
        return self.demonstrations[kind][:4] if rng.random() < 0.25 else []


def material(seed: int, pool_size: int = POOL_SIZE) -> Material:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    prompts = {path.stem: environment.from_string(path.read_text("utf-8")) for path in sorted(PROMPTS.glob("*.jinja"))}
    seeds = [json.loads(line) for line in SEED_TASKS.read_text("utf-8").splitlines() if line.strip()]
    demonstrations = yaml.safe_load((PROMPTS / "demonstrations.yaml").read_text("utf-8"))
    return Material(pool(seed, pool_size), seeds, prompts, demonstrations)


def pool(seed: int, size: int = POOL_SIZE) -> dict[str, list[Task]]:
    """`size` world tasks by family, drawn once; what `world.held_out` keeps for evaluation is left out."""
    rng = random.Random(f"pool {seed}")
    families = tuple(world.FAMILIES)
    tasks: dict[str, list[Task]] = defaultdict(list)
    for index in range(size):
        family = families[index % len(families)]
        task = world.sample(rng, family, EXAMPLES)
        if not world.held_out(task.instruction):
            tasks[family].append(task)
    return dict(tasks)


def training_instructions(seed: int, size: int = POOL_SIZE) -> set[str]:
    """Every world instruction that occurs in the training text."""
    return {task.instruction for tasks in pool(seed, size).values() for task in tasks}


def documents(material: Material, seed: int) -> Iterator[Document]:
    """An endless, seeded stream of chats; `KINDS` gives the mix."""
    rng = random.Random(f"documents {seed}")
    kinds, shares = tuple(KINDS), tuple(KINDS.values())
    while True:
        document = rng.choices(kinds, shares)[0](rng, material)
        if rng.random() < 0.03:
            document = [{"role": "system", "content": rng.choice(SYSTEMS)}, *document]
        yield document


def chat(rng: random.Random, material: Material) -> Document:
    """A task asked plainly: instruction, a blank line and the input if there is one."""
    if rng.random() < 0.005:
        return seed_chat(rng.choice(material.seeds))
    task = material.practised(rng)
    example = rng.choice(task.examples)
    return exchange(task.instruction, example.input, example.output)


def seed_chat(seed: dict[str, Any]) -> Document:
    return exchange(seed["instruction"], seed["instances"][0]["input"], seed["instances"][0]["output"])


def exchange(instruction: str, given: str, output: str) -> Document:
    asked = f"{instruction}\n\n{given}" if given else instruction
    return [{"role": "user", "content": asked}, reply(output)]


def drilled(rng: random.Random, material: Material) -> Document:
    question, answer = drill(rng)
    return exchange(question, "", answer)


def copying(rng: random.Random, material: Material) -> Document:
    """Words or numbers to say again: no task of the world, but what most of its tasks are built upon."""
    words = " ".join(material.task(rng).instruction for _ in range(3)).replace(",", "").split()
    if rng.random() < 0.3:
        words = [str(rng.randint(1, 60)) for _ in words]
    said = rng.choice((" ", ", ", ", ")).join(rng.sample(words, min(len(words), rng.randint(3, 14))))
    return exchange("Say this again, word for word.", said, said)


def bootstrap(rng: random.Random, material: Material) -> Document:
    """New world instructions, whatever was shown: mostly six seeds and two generated ones, as the paper does."""
    count = 8 if rng.random() < 0.85 else rng.randint(1, 7)
    generated = rng.choice((0, 2, 2, 2)) if count == 8 else 0
    shown = one_line_seeds(rng, material, count - generated) if rng.random() < 0.5 else []
    shown += [task.instruction for task in material.tasks(rng, count - len(shown))]
    rng.shuffle(shown)
    first = count + 1
    last = 16 if rng.random() < 0.8 else first + rng.randint(0, 7)
    return continuation("instructions", shown, first, last, material, rng, material.families)


def bootstrap_closed(rng: random.Random, material: Material) -> Document:
    """The same for classification tasks only."""
    shown = one_line_seeds(rng, material, 6, closed=True) if rng.random() < 0.5 else []
    shown += [task.instruction for task in material.tasks(rng, 8 - len(shown), material.closed)]
    rng.shuffle(shown)
    return continuation("instructions_classification", shown, 9, 16, material, rng, material.closed)


def continuation(
    prompt: str,
    shown: list[str],
    first: int,
    last: int,
    material: Material,
    rng: random.Random,
    families: Sequence[str],
) -> Document:
    asked = material.ask(prompt, instructions=shown, first=first, last=last)
    new = [task.instruction for task in material.tasks(rng, last - first + 1, families)]
    numbered = [f" {new[0]}", *(f"{first + i}. {text}" for i, text in enumerate(new) if i)]
    return [asked, reply("\n".join(numbered))]


def one_line_seeds(rng: random.Random, material: Material, count: int, closed: bool = False) -> list[str]:
    seeds = [seed for seed in material.seeds if seed["is_classification"] or not closed]
    return [" ".join(seed["instruction"].split()) for seed in rng.sample(seeds, min(count, len(seeds)))]


def classification(rng: random.Random, material: Material) -> Document:
    """Does a task ask for one of a few labels?"""
    wanted = rng.random() < 0.45
    if rng.random() < 0.5:
        seed = rng.choice([seed for seed in material.seeds if seed["is_classification"] == wanted])
        instruction = seed["instruction"]
    else:
        instruction = material.task(rng, material.closed if wanted else material.open).instruction
    asked = material.ask(
        "classification", instruction=instruction, demonstrations=material.shown(rng, "classification")
    )
    return [asked, reply("Yes" if wanted else "No")]


def input_first(rng: random.Random, material: Material) -> Document:
    """Examples of a task that is not classification: input, then output."""
    if rng.random() < 0.06:
        seed = rng.choice([seed for seed in material.seeds if not seed["is_classification"]])
        instruction = seed["instruction"]
        pairs = [(one["input"], one["output"]) for one in seed["instances"]]
    else:
        task = material.task(rng, material.open)
        instruction = task.instruction
        count = min(rng.choice((1, 2, 2, 3)), len(task.examples))
        pairs = [(one.input, one.output) for one in rng.sample(task.examples, count)]
    asked = material.ask(
        "input_first",
        instruction=instruction,
        max_instances=5,
        demonstrations=material.shown(rng, "input_first"),
    )
    lines = []
    for number, (given, output) in enumerate(pairs, 1):
        lines += [f"Example {number}", *([f"Input: {given}"] if given else []), f"Output: {output}"]
    return [asked, reply("\n".join(lines))]


def output_first(rng: random.Random, material: Material) -> Document:
    """Examples of a classification task: a label, then an input that deserves it."""
    if rng.random() < 0.08:
        seed = rng.choice([seed for seed in material.seeds if seed["is_classification"]])
        instruction = seed["instruction"]
        pairs = [(one["output"], one["input"]) for one in seed["instances"]]
    else:
        task = material.task(rng, material.closed)
        instruction = task.instruction
        by_label = {one.output: one.input for one in rng.sample(task.examples, len(task.examples))}
        pairs = list(by_label.items())
        rng.shuffle(pairs)
    asked = material.ask("output_first", instruction=instruction, demonstrations=material.shown(rng, "output_first"))
    lines = []
    for label, given in pairs:
        lines += [f"Class label: {label}", *([f"Input: {given}"] if given else [])]
    return [asked, reply("\n".join(lines))]


def alpaca(rng: random.Random, material: Material) -> Document:
    """Whole tasks in one call, in the layout of the Alpaca prompt."""
    short = [seed for seed in material.seeds if len(json.dumps(seed["instances"][0])) < 200]
    shown: list[tuple[str, str, str]] = []
    if rng.random() < 0.5 and len(short) >= 3:
        for seed in rng.sample(short, 3):
            first = seed["instances"][0]
            shown.append((" ".join(seed["instruction"].split()), first["input"], first["output"]))
    else:
        shown = [triple(rng, task) for task in material.tasks(rng, 3)]
    new = [triple(rng, task) for task in material.tasks(rng, 5)]
    tasks = [{"instruction": a, "input": b, "output": c} for a, b, c in shown]
    asked = material.ask("alpaca", tasks=tasks, first=4, last=8)
    blocks = []
    for number, (instruction, given, output) in enumerate(new, 4):
        head = f" {instruction}" if number == 4 else f"{number}. Instruction: {instruction}"
        blocks.append(f"{head}\n{number}. Input:\n{given or '<noinput>'}\n{number}. Output:\n{output}")
    return [asked, reply("\n###\n".join(blocks))]


def triple(rng: random.Random, task: Task) -> tuple[str, str, str]:
    example = rng.choice(task.examples)
    return task.instruction, example.input, example.output


def reply(content: str) -> Message:
    return {"role": "assistant", "content": content}


KINDS: dict[Callable[[random.Random, Material], Document], float] = {
    chat: 84,
    drilled: 36,
    copying: 4,
    bootstrap: 1.9,
    bootstrap_closed: 0.15,
    classification: 3.0,
    input_first: 5.0,
    output_first: 3.0,
    alpaca: 0.35,
}
