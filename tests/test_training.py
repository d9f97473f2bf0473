"""Every exported format is what TRL's trainers take: one step each, of the pocket model, without a line of glue."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from llmsynth.backends.pocket import FOLDER
from llmsynth.export import Source, export
from llmsynth.formats import Style

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # of the trainers', whose own business they are
]

# unlike the pocket model's own, it has tools, calls and reasoning in it, as those of larger models do
TEMPLATE = (
    "{%- if tools %}<|system|>{{ tools | tojson }}<|end|>{% endif -%}"
    "{%- for message in messages -%}"
    "<|{{ 'user' if message.role == 'tool' else message.role }}|>"
    "{%- if message.reasoning_content %}<think>{{ message.reasoning_content }}</think>{% endif -%}"
    "{{- message.content -}}"
    "{%- for call in message.tool_calls or [] %}"
    "{{ call.function.name }}({{ call.function.arguments | tojson }}){% endfor -%}"
    "<|end|>"
    "{%- endfor -%}"
    "{%- if add_generation_prompt %}<|assistant|>{% endif -%}"
)
TOOL = {
    "type": "function",
    "function": {"name": "count", "parameters": {"type": "object", "properties": {"of": {"type": "string"}}}},
}


def talk(n: int) -> list[dict[str, Any]]:
    return [
        {"role": "user", "content": f"How many letters has the word number {n}?"},
        {"role": "assistant", "content": f"It has {n} letters."},
        {"role": "user", "content": "And twice as many?"},
        {"role": "assistant", "content": f"That is {2 * n}."},
    ]


def call(n: int) -> list[dict[str, Any]]:
    function = {"name": "count", "arguments": {"of": "x" * n}}
    return [
        {"role": "system", "content": "You can count."},
        {"role": "user", "content": f"How long is {'x' * n}?"},
        {
            "role": "assistant",
            "content": "",
            "reasoning_content": "I should count.",
            "tool_calls": [{"id": f"c{n}", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": f"c{n}", "name": "count", "content": str(n)},
        {"role": "assistant", "content": f"It is {n} long."},
    ]


ROWS: dict[str, Callable[[int], dict[str, Any]]] = {
    "messages": lambda n: {"messages": talk(n)},
    "tools": lambda n: {"messages": call(n), "tools": [TOOL]} if n % 2 else {"messages": talk(n), "tools": []},
    "alpaca": lambda n: {"instruction": "Count the letters.", "input": "x" * n, "output": f"{n} letters."},
    "preference": lambda n: {"prompt": talk(n)[:3], "chosen": talk(n)[3:], "rejected": talk(n + 1)[3:]},
    "text-classification": lambda n: {"text": f"Is {n} odd or even?", "label": ["even", "odd"][n % 2]},
    "kto": lambda n: {"prompt": talk(n)[:1], "completion": talk(n + n % 2)[1:2], "label": n % 2 == 0},
}


def exported(rows: str, format: str, tmp_path: Path, style: Style = Style(), out: str = "out") -> Path:  # noqa: B008
    source = tmp_path / f"{rows}.jsonl"
    source.write_text("".join(json.dumps(ROWS[rows](n)) + "\n" for n in range(1, 9)), encoding="utf-8")
    found = export(Source(source, wanted=format), format, tmp_path / out, style)
    assert found.refused == 0
    return tmp_path / out


def trained(trainer: str, folder: Path, tmp_path: Path, template: str | None = None) -> Any:
    """The trainer, after a step on what lies in a folder."""
    import datasets
    import trl
    from transformers import AutoModelForCausalLM, AutoTokenizer

    rows = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    if template:
        tokenizer.chat_template = template
    options: Mapping[str, Any] = {
        "output_dir": str(tmp_path / "trained"),
        "max_steps": 1,
        "per_device_train_batch_size": 4,
        "report_to": "none",
        "use_cpu": True,
        "save_strategy": "no",
        "logging_steps": 1,
        "disable_tqdm": True,
        "bf16": False,
        "gradient_checkpointing": False,
    }
    arguments = getattr(trl, f"{trainer}Config")(**options)
    model = AutoModelForCausalLM.from_pretrained(FOLDER, dtype="float32")
    made = getattr(trl, f"{trainer}Trainer")(
        model=model, args=arguments, train_dataset=rows, processing_class=tokenizer
    )
    made.train()
    losses = [entry["loss"] for entry in made.state.log_history if "loss" in entry]
    assert made.state.global_step == 1 and losses and all(math.isfinite(loss) for loss in losses)
    return made


def read_by(made: Any) -> list[str]:
    """The texts that a trainer for demonstrations made of the rows."""
    return [made.processing_class.decode(ids) for ids in made.train_dataset["input_ids"]]


@pytest.mark.parametrize(
    ("rows", "format", "style", "trainer"),
    [
        ("messages", "messages", Style(), "SFT"),
        ("messages", "prompt-completion", Style(), "SFT"),
        ("alpaca", "prompt-completion", Style(plain=True), "SFT"),
        ("preference", "preference", Style(), "DPO"),
        ("preference", "messages", Style(), "SFT"),
        ("kto", "kto", Style(), "KTO"),
        ("preference", "kto", Style(), "KTO"),
    ],
    ids=lambda value: "plain" if value == Style(plain=True) else None if isinstance(value, Style) else value,
)
def test_a_trainer_takes_a_step_on_what_was_exported(
    rows: str, format: str, style: Style, trainer: str, tmp_path: Path
) -> None:
    trained(trainer, exported(rows, format, tmp_path, style), tmp_path)


def test_texts_are_trained_on_as_preferences_too(tmp_path: Path) -> None:
    source = tmp_path / "plain.jsonl"
    plain = ({"prompt": f"Count to {n}.", "chosen": f"One to {n}.", "rejected": "No."} for n in range(8))
    source.write_text("".join(json.dumps(row) + "\n" for row in plain), encoding="utf-8")
    export(Source(source), "preference", tmp_path / "out", Style(plain=True))
    trained("DPO", tmp_path / "out", tmp_path)


@pytest.mark.parametrize(
    ("rows", "format"),
    [("messages", "sharegpt"), ("alpaca", "alpaca"), ("text-classification", "text-classification")],
)
def test_older_formats_are_trained_on_once_they_are_back(rows: str, format: str, tmp_path: Path) -> None:
    there = exported(rows, format, tmp_path, out="there")
    export(Source(there), "messages", tmp_path / "back")
    straight = exported(rows, "messages", tmp_path, out="straight")
    back = read_by(trained("SFT", tmp_path / "back", tmp_path))
    assert back == read_by(trained("SFT", straight, tmp_path))
    assert len(back) == 8


@pytest.mark.parametrize("format", ["messages", "prompt-completion"])
def test_tools_calls_and_reasoning_come_to_the_chat_template_as_they_were(format: str, tmp_path: Path) -> None:
    made = trained("SFT", exported("tools", format, tmp_path), tmp_path, TEMPLATE)
    texts = read_by(made)
    called = next(text for text in texts if "count" in text)
    tools, _ = called.removeprefix("<|system|>").split("<|end|>", 1)
    assert json.loads(tools) == [TOOL]
    assert '<think>I should count.</think>count({"of": "x' in called
    assert "None" not in "".join(texts) and "null" not in "".join(texts)
    assert sum("You can count." in text for text in texts) == 4


def test_the_dataset_of_a_run_is_trained_on_as_it_is(tmp_path: Path) -> None:
    from llmsynth import Recipe, synthesize

    recipe = Recipe.load("demo", ["target=24", "splits={test: 0.2}", "generator.lookahead=4"])
    result = synthesize(recipe, tmp_path / "run")
    trained("SFT", result.dataset, tmp_path)


def test_the_pairs_of_a_run_are_trained_on_as_they_are(tmp_path: Path) -> None:
    from llmsynth import Recipe, synthesize

    steps = [{"use": "respond", "samples": 3}, {"use": "preference", "by": "heuristics"}]
    data = {
        "generator": {"use": "tests.plugins:Echoes", "count": 24},
        "models": {"default": {"use": "fake", "function": "tests.test_training:answer"}},
        "steps": steps,
    }
    result = synthesize(Recipe.from_data(data), tmp_path / "run")
    assert result.report["rows"]["kept"] >= 4
    made = trained("DPO", result.dataset, tmp_path)
    assert len(made.train_dataset) == result.report["rows"]["kept"]


def answer(request: Any) -> str:
    return "So it is. " * (1 + request.seed % 9)
