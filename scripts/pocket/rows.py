"""`pack` turns chats into rows of tokens of a few fixed lengths, nearly without padding."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
from corpus import Document
from numpy.typing import NDArray
from tokenizer import ASSISTANT, END, SPECIALS, SYSTEM, USER
from transformers import PreTrainedTokenizerFast

LENGTHS = (256, 384, 512, 768, 1024)
Rows = dict[int, NDArray[np.uint16]]


def pack(documents: Iterable[Document], tokenizer: PreTrainedTokenizerFast, wanted: int) -> Rows:
    """About `wanted` tokens as {length: (rows, length)}, each row whole chats one after the other, then padding.

    A chat goes into the shortest row it fits; what is left of the row is filled with short chats, so that a row
    reads like a conversation of several turns. Longer chats than the longest row are left out.
    """
    pad = tokenizer.pad_token_id
    done: dict[int, list[NDArray[np.uint16]]] = {length: [] for length in LENGTHS}

    def close(row: list[int], length: int) -> None:
        done[length].append(np.array(row + [pad] * (length - len(row)), dtype=np.uint16))

    open_rows: list[tuple[int, int, list[int], int]] = []
    total = serial = 0
    for chat in encoded(documents, tokenizer):
        if len(chat) > LENGTHS[-1]:
            continue
        total += len(chat)
        serial += 1
        if len(chat) <= LENGTHS[0] and open_rows and -open_rows[0][0] >= len(chat):
            room, _, row, length = heapq.heappop(open_rows)
            row += chat
            heapq.heappush(open_rows, (room + len(chat), serial, row, length))
        else:
            length = next(one for one in LENGTHS if one >= len(chat))
            heapq.heappush(open_rows, (len(chat) - length, serial, list(chat), length))
        while open_rows and len(open_rows) > 64:
            fullest = max(open_rows)
            open_rows.remove(fullest)
            heapq.heapify(open_rows)
            close(*fullest[2:])
        if total >= wanted:
            break
    for _, _, row, length in open_rows:
        close(row, length)
    return {length: np.stack(rows) for length, rows in done.items() if rows}


def encoded(
    documents: Iterable[Document], tokenizer: PreTrainedTokenizerFast, at_once: int = 2_000
) -> Iterator[list[int]]:
    """Token ids of each chat, exactly as the chat template renders it."""
    stream = iter(documents)
    while batch := list(islice(stream, at_once)):
        texts = ["".join(f"<|{turn['role']}|>{turn['content']}{END}" for turn in chat) for chat in batch]
        yield from tokenizer(texts, add_special_tokens=False)["input_ids"]


def learnt(rows: NDArray[np.uint16], tokenizer: PreTrainedTokenizerFast) -> NDArray[np.bool_]:
    """Which tokens the loss is taken on: the assistant's, with the end token that closes each answer."""
    specials: Sequence[int] = tokenizer.convert_tokens_to_ids(list(SPECIALS))
    places = np.where(np.isin(rows, specials), np.arange(rows.shape[1]), 0)
    latest = np.maximum.accumulate(places, axis=1)
    inside = np.take_along_axis(rows, latest, axis=1) == tokenizer.convert_tokens_to_ids(ASSISTANT)
    return np.pad(inside[:, :-1], ((0, 0), (1, 0)))


def chats(rows: NDArray[np.uint16], tokenizer: PreTrainedTokenizerFast) -> NDArray[np.int64]:
    """Which chat of its row each token belongs to. Every eighth row or so stays one long conversation."""
    system, user = tokenizer.convert_tokens_to_ids([SYSTEM, USER])
    before = np.maximum.accumulate(np.where(np.isin(rows, [system, user]), np.arange(rows.shape[1]), 0), axis=1)
    after_system = np.take_along_axis(rows, np.pad(before[:, :-1], ((0, 0), (1, 0))), axis=1) == system
    starts = (rows == system) | ((rows == user) & ~after_system)
    conversation = rows.sum(axis=1, keepdims=True, dtype=np.int64) % 8 == 0
    return np.where(conversation, 0, starts.cumsum(axis=1))
