"""The part of the transformers backend that tells how likely texts are."""

from __future__ import annotations

import gc
import logging
from dataclasses import dataclass
from typing import Any

import torch

from llmsynth.backends._loading import is_out_of_memory
from llmsynth.backends._local import too_long
from llmsynth.likelihood import Likelihood, written
from llmsynth.request import Completion, Request, RequestFailedError

log = logging.getLogger(__name__)

_LOGITS = 1 << 28  # numbers of 4 bytes that are worked out at once


def likelihoods(engine: Any, requests: list[Request]) -> list[Completion | RequestFailedError | None]:
    """One answer per request, in order.

    A text is tokenized by itself, so that it is the same tokens whatever comes before it; what comes before is the
    prompt of the chat template or, without one, the last message and a line end. Without messages it is the token that
    begins a text, or ends one where the model has no such, as GPT-2; without either the first token is not counted.
    """
    answers: list[Completion | RequestFailedError | None] = [None] * len(requests)
    rows: list[list[_Row]] = []
    for i, request in enumerate(requests):
        try:
            rows.append(_rows(engine, request))
        except RequestFailedError as refusal:
            rows.append([])
            answers[i] = refusal
    waiting = [i for i, answer in enumerate(answers) if answer is None]
    capacity = _LOGITS // int(engine.model.get_output_embeddings().weight.shape[0])
    while waiting:
        batch = _affordable(waiting, rows, capacity)
        told = _in_memory(engine, [row for i in batch for row in rows[i]])
        if told is None and len(batch) == 1:
            said = f"{rows[batch[0]][0].width} tokens do not fit into the memory of {engine.device}"
            answers[batch[0]] = RequestFailedError("out_of_memory", said, retryable=False)
        elif told is None:
            capacity = sum(len(rows[i]) for i in batch) * max(row.width for i in batch for row in rows[i]) // 2
            log.warning("out of memory with %d texts at once; going on with half of that", len(batch))
            continue
        else:
            place = 0
            for i in batch:
                found = [likelihood for part in told[place : place + len(rows[i])] for likelihood in part]
                place += len(rows[i])
                first = rows[i][0]
                answers[i] = Completion(written(found), "stop", first.start, sum(x.tokens for x in found))
        waiting = waiting[len(batch) :]
    return answers


@dataclass(frozen=True, slots=True)
class _Row:
    """Tokens to run through the model at once.

    start: where the text begins; what is before is given. last: the tokens that may end the text: several texts that
    differ in their last token only are one row.
    """

    tokens: list[int]
    start: int
    last: list[int]

    @property
    def width(self) -> int:
        return len(self.tokens)


def _rows(engine: Any, request: Request) -> list[_Row]:
    before = _before(engine, request)
    texts = [engine.tokenizer(text, add_special_tokens=False)["input_ids"] for text in request.continuations]
    if any(len(text) < (1 if before else 2) for text in texts):
        raise RequestFailedError("empty_text", "a text of no token has no likelihood", retryable=False)
    longest = len(before) + max(map(len, texts))
    if longest > engine.window:
        raise too_long(longest, engine.window)
    if len({(len(text), *text[:-1]) for text in texts}) == 1:
        shared = texts[0][:-1]
        return [_Row([*before, *shared], len(before) or 1, [text[-1] for text in texts])]
    return [_Row([*before, *text[:-1]], len(before) or 1, [text[-1]]) for text in texts]


def _before(engine: Any, request: Request) -> list[int]:
    tokenizer = engine.tokenizer
    if request.messages:
        text = engine.text_of(request)
        text = text if tokenizer.chat_template is not None else f"{text}\n"
        tokens: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
        return tokens
    beginning = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    return [] if beginning is None else [beginning]


def _affordable(waiting: list[int], rows: list[list[_Row]], capacity: int) -> list[int]:
    """As many of the first requests as the memory takes, padded to the longest of their rows; one at least."""
    count, width = 0, 0
    batch: list[int] = []
    for i in waiting:
        count += len(rows[i])
        width = max(width, *(row.width for row in rows[i]))
        if batch and count * width > capacity:
            break
        batch.append(i)
    return batch


def _in_memory(engine: Any, rows: list[_Row]) -> list[list[Likelihood]] | None:
    """The likelihoods that each row tells, or None if the memory does not hold them."""
    try:
        return _run(engine, rows)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    gc.collect()  # only here, where no traceback holds the tensors any more
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def _run(engine: Any, rows: list[_Row]) -> list[list[Likelihood]]:
    width = max(row.width for row in rows)
    padding = engine.tokenizer.pad_token_id or 0
    ids = torch.tensor([[padding] * (width - row.width) + row.tokens for row in rows], device=engine.device)
    mask = torch.tensor([[0] * (width - row.width) + [1] * row.width for row in rows], device=engine.device)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    kept = max(row.width - row.start + 1 for row in rows)
    with torch.inference_mode():
        logits = engine.model(
            input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False, logits_to_keep=kept
        ).logits
        return [_told(logits[i, kept - (row.width - row.start + 1) :], row) for i, row in enumerate(rows)]


def _told(logits: Any, row: _Row) -> list[Likelihood]:
    """logits: of the token after each of those from the one before the text's first to its last but one."""
    logprobs = torch.log_softmax(logits.float(), dim=1)
    shared = torch.tensor(row.tokens[row.start :], device=logits.device, dtype=torch.long)
    before = float(logprobs[:-1].gather(1, shared.unsqueeze(1)).double().sum())
    ends = logprobs[-1, torch.tensor(row.last, device=logits.device)].double().tolist()
    return [Likelihood(before + end, len(shared) + 1) for end in ends]
