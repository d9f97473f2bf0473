"""Vectors as a map: the nearest others of each, and a place in the plane near them.

Two principal components keep hardly any neighbourhood of 256 dimensions; the layout of the graph of nearest
neighbours (UMAP's, see `kernels.arrange`) keeps many times as much. `scripts/bench report` measures both.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from llmsynth.report import kernels
from llmsynth.similarity.compiling import Floats, Longs, Singles, Totals

NEIGHBOURS = 15
_BLOCK = 128  # vectors compared with all at once
_EPOCHS = 200
_EDGE = 0.1  # per cent of the vectors that may lie beyond each edge of the map
_SAMPLE = 20_000  # vectors that principal components are found on


class Neighbours(NamedTuple):
    """For each vector the places of the nearest others, nearest first, and their cosines."""

    places: Totals
    cosines: Singles


def neighbours_of(vectors: Singles, most: int = NEIGHBOURS) -> Neighbours:
    """The nearest others of each vector, by comparing all with all. vectors: of unit length, or zeros."""
    count = len(vectors)
    width = max(0, min(most, count - 1))
    places, cosines = np.zeros((count, width), np.int32), np.zeros((count, width), np.float32)

    def compare(start: int) -> None:
        end = min(start + _BLOCK, count)
        kernels.nearest(vectors[start:end] @ vectors.T, start, places[start:end], cosines[start:end])

    if width:
        with ThreadPoolExecutor(_cores()) as threads:
            list(threads.map(compare, range(0, count, _BLOCK)))
    return Neighbours(places, cosines)


def project(vectors: Singles, neighbours: Neighbours) -> Singles:
    """A place for each vector, two numbers each, so that near vectors are near: from 0 to 1."""
    if not len(vectors):
        return np.zeros((0, 2), np.float32)
    points = np.ascontiguousarray(principal(vectors), np.float32)
    if neighbours.places.shape[1] >= 2:
        size = np.abs(points).max()
        points *= np.float32(10 / size) if size else np.float32(1)
        # equal vectors would never part: a push has no direction between points at one place
        points += (np.random.default_rng(0).normal(size=points.shape) * 1e-2).astype(np.float32)
        heads, tails, weights = _edges(neighbours)
        kernels.arrange(points, heads, tails, weights.max() / weights, _EPOCHS)
    # a few far away would squeeze the others into a corner: they come to stand at the edge
    low, high = np.percentile(points, [_EDGE, 100 - _EDGE], axis=0).astype(np.float32)
    scaled: Singles = (np.clip(points, low, high) - low) / np.maximum(high - low, np.float32(1e-9))
    placed: Singles = (scaled + _ranks(scaled)) * np.float32(0.5)
    return placed


def _ranks(scaled: Singles) -> Singles:
    """The place of each number among those of its axis, from 0 to 1, the same for equal ones.

    A group that nothing ties to the others is laid out far from them, and they would share a corner of the map. Half
    by rank, the gap is halved, and what lies closer together or in an order still does.
    """
    ranks = [np.searchsorted(np.sort(axis), axis) for axis in scaled.T]
    placed: Singles = (np.stack(ranks, axis=1) / max(1, len(scaled) - 1)).astype(np.float32)
    return placed


def principal(vectors: Singles) -> Singles:
    """The first two principal components of each vector."""
    if len(vectors) < 2:
        return np.zeros((len(vectors), 2), np.float32)
    sample = vectors[:: math.ceil(len(vectors) / _SAMPLE)].astype(np.float64)
    mean = sample.mean(axis=0)
    _, axes = np.linalg.eigh(np.cov(sample - mean, rowvar=False))
    axes = axes[:, :-3:-1]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])  # a direction, whatever the library chose
    components: Singles = vectors @ axes.astype(np.float32) - (mean @ axes).astype(np.float32)
    return components


def _edges(neighbours: Neighbours) -> tuple[Totals, Totals, Floats]:
    """The graph of neighbours, both ways, each edge with UMAP's weight: 1 for the nearest, less with the distance."""
    places = neighbours.places
    count, width = places.shape
    distances = 1 - neighbours.cosines.astype(np.float64)
    beyond = np.maximum(0, distances - distances[:, :1])
    low, high = np.zeros(count), np.full(count, 1_000.0)
    for _ in range(40):  # the scale at which the weights of a vector sum to log2 of their number
        scale = (low + high) / 2
        total = np.exp(-beyond / np.maximum(scale, 1e-12)[:, None]).sum(axis=1)
        wide = total > math.log2(width)
        low, high = np.where(wide, low, scale), np.where(wide, scale, high)
    weights = np.exp(-beyond / np.maximum(scale, 1e-4)[:, None]).ravel()
    heads = np.repeat(np.arange(count, dtype=np.int64), width)
    tails = places.ravel().astype(np.int64)
    there, back = heads * count + tails, tails * count + heads
    edges = np.union1d(there, back)
    order = np.argsort(there)

    def weight(of: Longs, keys: Longs) -> Floats:
        found = np.minimum(np.searchsorted(of, keys), len(of) - 1)
        return np.where(of[found] == keys, weights[order][found], 0.0)

    ahead = weight(there[order], edges)
    behind = weight(there[order], edges % count * count + edges // count)
    joint = ahead + behind - ahead * behind
    strong = joint >= joint.max() / _EPOCHS  # weaker ones would not be pulled once
    kept = edges[strong]
    return (kept // count).astype(np.int32), (kept % count).astype(np.int32), joint[strong]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
