"""`train` teaches the pocket model its world, resumably; run as a script it makes everything from the seed.

    python scripts/pocket/train.py --work build/pocket             train (or go on after an interruption)
    python scripts/pocket/train.py --work build/pocket --export    write the newest checkpoint as a model folder
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import corpus
import numpy as np
import torch
import torch.nn.functional as F
from model import Llama, Shape
from numpy.typing import NDArray
from rows import Rows, learnt, pack
from safetensors.torch import save_file
from tokenizer import CONTEXT, train_tokenizer
from torch import Tensor
from transformers import AutoTokenizer, GenerationConfig, LlamaConfig, PreTrainedTokenizerFast

log = logging.getLogger("pocket")
FOLDER = corpus.ROOT / "llmsynth" / "data" / "pocket"
TOKENIZER_SAMPLE = 12_000


@dataclass(frozen=True)
class Plan:
    """How long and how fast to learn. Rates: Muon on the matrices, AdamW on embeddings and norms.

    steps: optimiser steps of about `tokens_per_step` tokens; the rate rises over `warm_up` steps, stays, and falls
        in a straight line to nought over the last `decay` of them.
    corpus_tokens: size of the fixed corpus; more steps than it holds begin it anew in another order.
    """

    seed: int = 20_26
    steps: int = 3000
    tokens_per_step: int = 12_288
    warm_up: int = 60
    decay: float = 0.5
    matrix_rate: float = 0.02
    other_rate: float = 0.006
    corpus_tokens: int = 36_000_000

    def rate(self, step: int) -> float:
        """The share of the full rate at `step`."""
        rising = (step + 1) / self.warm_up
        falling = (self.steps - step) / (self.decay * self.steps)
        return min(1.0, rising, falling)


def train(work: Path, plan: Plan, shape: Shape, save_every: float = 600.0, stop_after: float = float("inf")) -> None:
    """Train until the plan is done, or for `stop_after` seconds; a checkpoint in `work` is gone on from."""
    tokenizer, rows = prepare(work, plan)
    torch.manual_seed(plan.seed)
    model = Llama(shape)
    for layer in model.layers:
        layer.compile(dynamic=False)
    optimisers = make_optimisers(model, plan)
    step, tokens = 0, 0
    checkpoint = work / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(saved["model"])
        for optimiser, state in zip(optimisers, saved["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        step, tokens = saved["step"], saved["tokens"]
        log.info("going on at step %d", step)
    started = last_saved = time.monotonic()
    spent, smooth = 0, 0.0
    for step, batch in islice(enumerate(batches(rows, plan)), step, plan.steps):
        loss = learn(model, optimisers, batch, tokenizer, plan.rate(step), plan)
        smooth = loss if not smooth else 0.98 * smooth + 0.02 * loss
        spent += batch.size
        tokens += batch.size
        now = time.monotonic()
        if step % 20 == 0:
            log.info("step %d loss %.4f, %.2f M tokens, %.0f tokens/s", step, smooth, tokens / 1e6, spent / (now - started))
        if now - last_saved > save_every or step + 1 == plan.steps or now - started > stop_after:
            last_saved = now
            save(checkpoint, model, optimisers, step + 1, tokens)
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
        np.savez(kept, **{str(length): packed for length, packed in rows.items()})
        log.info("corpus: %s", {length: packed.shape[0] for length, packed in rows.items()})
    with np.load(kept) as archive:
        rows = {int(length): archive[length] for length in archive.files}
    return AutoTokenizer.from_pretrained(work / "tokenizer"), rows


def batches(rows: Rows, plan: Plan) -> Iterator[NDArray[np.uint16]]:
    """Batches of one length each, shuffled anew in every epoch, for ever."""
    rng = np.random.default_rng(plan.seed)
    while True:
        epoch = []
        for length, packed in rows.items():
            size = plan.tokens_per_step // length
            order = rng.permutation(len(packed))
            epoch += [(length, order[at : at + size]) for at in range(0, len(order) - size + 1, size)]
        for index in rng.permutation(len(epoch)):
            length, chosen = epoch[index]
            yield rows[length][chosen]


def learn(
    model: Llama,
    optimisers: list[torch.optim.Optimizer],
    batch: NDArray[np.uint16],
    tokenizer: PreTrainedTokenizerFast,
    rate: float,
    plan: Plan,
) -> float:
    """One step; the mean loss per learnt token."""
    tokens = torch.from_numpy(batch.astype(np.int64))
    targets = torch.from_numpy(learnt(batch, tokenizer)[:, 1:]).nonzero()
    places = targets[:, 0] * tokens.shape[1] + targets[:, 1]
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(tokens, places)
    loss = F.cross_entropy(logits.float(), tokens.reshape(-1)[places + 1])
    loss.backward()  # type: ignore[no-untyped-call]
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = rate * group["full_rate"]
        optimiser.step()
        optimiser.zero_grad()
    return loss.item()


def make_optimisers(model: Llama, plan: Plan) -> list[torch.optim.Optimizer]:
    matrices = [weight for weight in model.layers.parameters() if weight.ndim == 2]
    chosen = {id(weight) for weight in matrices}
    others = [weight for weight in model.parameters() if id(weight) not in chosen]
    muon = torch.optim.Muon(matrices, lr=plan.matrix_rate, momentum=0.95, weight_decay=0.01)
    adam = torch.optim.AdamW(others, lr=plan.other_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    for optimiser, full in ((muon, plan.matrix_rate), (adam, plan.other_rate)):
        for group in optimiser.param_groups:
            group["full_rate"] = full
    return [muon, adam]


def save(path: Path, model: Llama, optimisers: list[torch.optim.Optimizer], step: int, tokens: int) -> None:
    state: dict[str, Any] = {
        "model": model.state_dict(),
        "optimisers": [optimiser.state_dict() for optimiser in optimisers],
        "shape": asdict(model.shape),
        "step": step,
        "tokens": tokens,
    }
    torch.save(state, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)
    log.info("checkpoint at step %d", step)


def export(work: Path, folder: Path) -> None:
    """The newest checkpoint as a folder that transformers and vLLM load unmodified, in half precision."""
    saved = torch.load(work / "checkpoint.pt", weights_only=True)
    shape = Shape(**saved["shape"])
    model = Llama(shape)
    model.load_state_dict(saved["model"])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(work / "tokenizer")
    tokenizer.save_pretrained(folder)
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
    trained = {"steps": saved["step"], "tokens": saved["tokens"], "parameters": sum(w.numel() for w in weights.values())}
    log.info("exported %s to %s", json.dumps(trained), folder)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=corpus.ROOT / "build" / "pocket", help="tokenizer, corpus, checkpoint")
    parser.add_argument("--export", type=Path, nargs="?", const=FOLDER, help="write the checkpoint here and stop")
    parser.add_argument("--stop-after", type=float, default=float("inf"), help="seconds; go on later")
    for name, value in (*asdict(Plan()).items(), *asdict(Shape()).items()):
        parser.add_argument("--" + name.replace("_", "-"), type=type(value), default=value, help="(default: %(default)s)")
    options = parser.parse_args()
    if options.export:
        export(options.work, options.export)
        return
    torch.set_num_threads(2)
    torch._dynamo.config.recompile_limit = 64
    plan = Plan(**{name: getattr(options, name) for name in asdict(Plan())})
    shape = Shape(**{name: getattr(options, name) for name in asdict(Shape())})
    train(options.work, plan, shape, stop_after=options.stop_after)


if __name__ == "__main__":
    main()
