"""`train` teaches the pocket model its world, resumably; run as a script it makes everything from the seed.

python scripts/pocket/train.py             train, or go on after an interruption
python scripts/pocket/train.py --export    write the newest checkpoint as a model folder
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import reduce
from itertools import chain, islice
from pathlib import Path
from typing import Any

import corpus
import numpy as np
import torch
from model import Llama, Shape
from numpy.typing import NDArray
from rows import Rows, chats, learnt, pack
from safetensors.torch import save_file
from tokenizer import ASSISTANT, CONTEXT, END, PAD, SYSTEM, USER, train_tokenizer
from torch import Tensor
from torch.nn import functional
from transformers import AutoTokenizer, GenerationConfig, LlamaConfig, PreTrainedTokenizerFast

log = logging.getLogger("pocket")
FOLDER = corpus.ROOT / "llmsynth" / "data" / "pocket"
WORK = corpus.ROOT / "build" / "pocket"
HISTORY = "training.json"  # in the model's folder: what the card tells of the training
TOKENIZER_SAMPLE = 12_000
WORKERS = 2


@dataclass(frozen=True)
class Plan:
    """How long and how fast to learn. Rates: Muon on the matrices, AdamW on embeddings and norms.

    steps: optimiser steps of `parts` parts of at most `part` tokens each; the rate rises over `warm_up` steps,
        stays, and falls in a straight line to nought over the last `decay` of them.
    corpus_tokens: size of the fixed corpus; more steps than it holds begin it anew in another order.
    """

    seed: int = 20_26
    steps: int = 2800
    part: int = 1536
    parts: int = 4
    warm_up: int = 100
    decay: float = 0.4
    matrix_rate: float = 0.01
    other_rate: float = 0.002
    corpus_tokens: int = 25_000_000

    def rates(self, step: int) -> tuple[float, ...]:
        """The rate at `step` of each of `make_optimisers`."""
        rising = (step + 1) / self.warm_up
        falling = (self.steps - step) / (self.decay * self.steps)
        share = min(1.0, rising, falling)
        return share * self.matrix_rate, share * self.matrix_rate, share * self.other_rate


def train(work: Path, plan: Plan, shape: Shape, save_every: float = 180.0, stop_after: float = float("inf")) -> None:
    """Train until the plan is done, or for `stop_after` seconds; a checkpoint in `work` is gone on from."""
    tokenizer, rows = prepare(work, plan)
    torch.manual_seed(plan.seed)
    model = Llama(shape)
    for layer in model.layers:
        layer.compile(dynamic=False)
    optimisers = make_optimisers(model, plan)
    done, tokens, seconds = 0, 0, 0.0
    checkpoint = work / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(saved["model"])
        for optimiser, state in zip(optimisers, saved["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        done, tokens, seconds = saved["step"], saved["tokens"], saved["seconds"]
        log.info("going on at step %d", done)
    with ThreadPoolExecutor(WORKERS, initializer=torch.set_num_threads, initargs=(1,)) as workers:
        for packed in rows.values():  # compiled by one worker at a time, and once
            workers.submit(slopes, model, packed[: plan.part // packed.shape[1]], tokenizer).result()
        log.info("compiled")
        started = last_saved = time.monotonic()
        spent, recent = 0, deque[float](maxlen=50)
        for step, parts in islice(enumerate(batches(rows, plan)), done, plan.steps):
            loss = learn(model, optimisers, parts, tokenizer, plan.rates(step), workers)
            recent.append(loss)
            spent += sum(part.size for part in parts)
            tokens += sum(part.size for part in parts)
            now = time.monotonic()
            if step % 20 == 0:
                speed = spent / (now - started)
                mean = sum(recent) / len(recent)
                log.info("step %d loss %.4f, %.2f M tokens, %.0f tokens/s", step, mean, tokens / 1e6, speed)
            if now - last_saved > save_every or step + 1 == plan.steps or now - started > stop_after:
                last_saved = now
                save(checkpoint, model, optimisers, step=step + 1, tokens=tokens, seconds=seconds + now - started)
            if now - started > stop_after:
                return


def prepare(work: Path, plan: Plan) -> tuple[PreTrainedTokenizerFast, Rows]:
    """The tokenizer and the packed corpus, made once and kept in `work`."""
    kept = work / "rows.npz"
    if not kept.exists():
        work.mkdir(parents=True, exist_ok=True)
        material = corpus.material(plan.seed)
        log.info("pool of %d tasks", sum(map(len, material.pool.values())))
        sample = islice(corpus.documents(material, plan.seed + 1), TOKENIZER_SAMPLE)
        seeds = [corpus.seed_chat(seed) for seed in material.seeds]
        # Every answer of the pool besides, so that a word is one token where it opens a message, too.
        answers = (one.output for tasks in material.pool.values() for task in tasks[:400] for one in task.examples)
        texts = chain((turn["content"] for chat in [*sample, *seeds] for turn in chat), answers)
        tokenizer = train_tokenizer(texts, work / "tokenizer")
        rows = pack(corpus.documents(material, plan.seed), tokenizer, plan.corpus_tokens)
        np.savez(kept, allow_pickle=False, **{str(length): packed for length, packed in rows.items()})
        log.info("corpus: %s", {length: packed.shape[0] for length, packed in rows.items()})
    with np.load(kept) as archive:
        rows = {int(length): archive[length] for length in archive.files}
    return AutoTokenizer.from_pretrained(work / "tokenizer"), rows


def batches(rows: Rows, plan: Plan) -> Iterator[list[NDArray[np.uint16]]]:
    """Steps of `plan.parts` parts, each of one row length, shuffled anew in every epoch, for ever."""
    rng = np.random.default_rng(plan.seed)
    while True:
        epoch = []
        for length, packed in rows.items():
            size = plan.part // length
            order = rng.permutation(len(packed))
            epoch += [(length, order[at : at + size]) for at in range(0, len(order) - size + 1, size)]
        order = rng.permutation(len(epoch))
        for at in range(0, len(order) - plan.parts + 1, plan.parts):
            yield [rows[length][chosen] for length, chosen in (epoch[index] for index in order[at : at + plan.parts])]


def learn(
    model: Llama,
    optimisers: list[torch.optim.Optimizer],
    parts: list[NDArray[np.uint16]],
    tokenizer: PreTrainedTokenizerFast,
    rates: tuple[float, ...],
    workers: ThreadPoolExecutor,
) -> float:
    """One step; the mean loss per learnt token.

    Workers take parts as they get free, so that a core lost to another process slows one part, not every operation;
    the sum is taken in a fixed order all the same.
    """
    found = list(workers.map(lambda part: slopes(model, part, tokenizer), parts))
    count = sum(counted for _, counted, _ in found)
    for weight, *each in zip(model.parameters(), *(gradients for _, _, gradients in found), strict=True):
        weight.grad = reduce(Tensor.add_, each).div_(count)
    list(workers.map(advance, optimisers, rates))
    return sum(loss for loss, _, _ in found) / count


def slopes(
    model: Llama, part: NDArray[np.uint16], tokenizer: PreTrainedTokenizerFast
) -> tuple[float, int, tuple[Tensor, ...]]:
    """The summed loss of a part, over how many tokens, and its gradient by every parameter."""
    tokens = torch.from_numpy(part.astype(np.int64))
    targets = torch.from_numpy(learnt(part, tokenizer)[:, 1:]).nonzero()
    places = targets[:, 0] * tokens.shape[1] + targets[:, 1]
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(tokens, torch.from_numpy(chats(part, tokenizer)), places)
    loss = functional.cross_entropy(logits.float(), tokens.reshape(-1)[places + 1], reduction="sum")
    return loss.item(), len(places), torch.autograd.grad(loss, list(model.parameters()))


def advance(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.step()


def make_optimisers(model: Llama, plan: Plan) -> list[torch.optim.Optimizer]:
    """Muon for the matrices, in two halves that two workers take, and AdamW for the rest."""
    matrices = [weight for weight in model.layers.parameters() if weight.ndim == 2]
    chosen = {id(weight) for weight in matrices}
    others = [weight for weight in model.parameters() if id(weight) not in chosen]
    optimisers: list[torch.optim.Optimizer] = []
    for half in (matrices[: len(matrices) // 2], matrices[len(matrices) // 2 :]):
        optimisers.append(torch.optim.Muon(half, lr=plan.matrix_rate, momentum=0.95, weight_decay=0.01))
    optimisers.append(torch.optim.AdamW(others, lr=plan.other_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True))
    return optimisers


def save(path: Path, model: Llama, optimisers: list[torch.optim.Optimizer], **progress: float) -> None:
    state: dict[str, Any] = {
        "model": model.state_dict(),
        "optimisers": [optimiser.state_dict() for optimiser in optimisers],
        "shape": asdict(model.shape),
        **progress,
    }
    torch.save(state, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)
    log.info("checkpoint: %s", progress)


def export(work: Path, folder: Path) -> None:
    """The newest checkpoint as a folder that transformers and vLLM load unmodified, in half precision."""
    saved = torch.load(work / "checkpoint.pt", weights_only=True)
    shape = Shape(**saved["shape"])
    model = Llama(shape)
    model.load_state_dict(saved["model"])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(work / "tokenizer")
    tokenizer.save_pretrained(folder)
    settings = folder / "tokenizer_config.json"
    settings.write_text(json.dumps(tokenizer_settings(tokenizer), indent=2) + "\n", "utf-8")
    ends = {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    sizes = {name: size for name, size in asdict(shape).items() if name != "rope_theta"}
    config = LlamaConfig(
        **sizes,
        num_key_value_heads=shape.num_attention_heads,
        head_dim=shape.head_dim,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
        tie_word_embeddings=True,
        dtype="float16",
        architectures=["LlamaForCausalLM"],
        **ends,
    )
    config.save_pretrained(folder)
    GenerationConfig(do_sample=True, temperature=1.0, max_length=CONTEXT, **ends).save_pretrained(folder)
    weights: dict[str, Tensor] = {name: weight.half() for name, weight in model.state_for_transformers().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    history = {name: saved[name] for name in ("step", "tokens", "seconds")}
    (folder / HISTORY).write_text(json.dumps(history, indent=2) + "\n", "utf-8")
    log.info("exported step %d, %d parameters, to %s", saved["step"], sum(map(Tensor.numel, weights.values())), folder)


def tokenizer_settings(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """What transformers 4 and 5 both understand; what version 5 writes by itself, version 4 cannot read."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": None,
        "eos_token": END,
        "pad_token": PAD,
        "additional_special_tokens": [SYSTEM, USER, ASSISTANT],
        "clean_up_tokenization_spaces": False,
        "model_max_length": CONTEXT,
        "padding_side": "left",
        "chat_template": tokenizer.chat_template,
    }


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=WORK, help="tokenizer, corpus, checkpoint")
    parser.add_argument("--export", type=Path, nargs="?", const=FOLDER, help="write the checkpoint here and stop")
    parser.add_argument("--stop-after", type=float, default=float("inf"), help="seconds; go on later")
    for name, value in (asdict(Plan()) | asdict(Shape())).items():
        parser.add_argument("--" + name.replace("_", "-"), type=type(value), default=value, help="(%(default)s)")
    options = parser.parse_args()
    if options.export:
        export(options.work, options.export)
        return
    torch.set_num_threads(1)
    torch._dynamo.config.recompile_limit = 64
    plan = Plan(**{name: getattr(options, name) for name in asdict(Plan())})
    shape = Shape(**{name: getattr(options, name) for name in asdict(Shape())})
    train(options.work, plan, shape, stop_after=options.stop_after)


if __name__ == "__main__":
    main()
