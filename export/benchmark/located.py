"""Re-ranking and metres: the second look that a locating model takes at the first tiles."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from export.benchmark.described import Described, Look, look_at
from export.benchmark.figures import RECALLS, Figures
from export.benchmark.model import Floats32, LocatingModel
from export.datasets.retrieval_set import RetrievalSet
from export.metrics.distances import mean_and_median
from export.metrics.localization import peak_error_m, recall_within_m
from export.metrics.ranking import NEVER, Ranks, recall_at, strict_ranks
from export.metrics.similarity import NOWHERE, best_places, similarity_blocks
from maps.progress import progress_s
from onboard.messages import Picture
from onboard.whole_file import make_folder, write_whole

CHUNK_QUERIES = 32
LIMITS_M = (1, 10)
Floats = NDArray[np.float64]


def locate_all(
    pairs: RetrievalSet,
    queries: Described,
    gallery: Described,
    looks: tuple[Look, Look],
    model: LocatingModel,
    cache: Path,
) -> Figures:
    """R@K after re-ranking of the first tiles; where the set has truths also R@1m, R@10m, and
    mean and median metres on the primary tile. looks: of queries and gallery. Goes on where a
    killed run stopped. Raises InputError: the cache can't be written."""
    made_from = repr((queries.key, gallery.key, pairs.positives, pairs.truths))
    folder = cache / hashlib.sha256(made_from.encode()).hexdigest()[:32]
    make_folder(folder)
    ranks: list[Ranks] = []
    errors: list[Floats] = []
    with tqdm(
        total=len(pairs.queries),
        desc="re-ranking",
        unit="query",
        smoothing=0.05,
        mininterval=progress_s(),
    ) as bar:
        for start in range(0, len(pairs.queries), CHUNK_QUERIES):
            chunk = range(start, min(start + CHUNK_QUERIES, len(pairs.queries)))
            path = folder / f"{start:07d}.npz"
            kept = _read(path, len(chunk))
            if kept is None:
                kept = _locate(chunk, pairs, queries, gallery, looks, model, bar)
                _write(path, *kept)
            else:
                bar.update(len(chunk))
            ranks.append(kept[0])
            errors.append(kept[1])
    return _figures(np.concatenate(ranks), np.concatenate(errors), bool(pairs.truths))


def _figures(ranks: Ranks, error_m: Floats, with_metres: bool) -> Figures:
    figures = {f"re-ranked R@{k}": recall_at(ranks, k) for k in RECALLS}
    if not with_metres:
        return figures
    for limit_m in LIMITS_M:
        figures[f"R@{limit_m}m"] = recall_within_m(ranks, error_m, limit_m)
    figures["mean m"], figures["median m"] = mean_and_median(error_m)
    return figures


def _locate(
    chunk: range,
    pairs: RetrievalSet,
    queries: Described,
    gallery: Described,
    looks: tuple[Look, Look],
    model: LocatingModel,
    bar: tqdm,
) -> tuple[Ranks, Floats]:
    """Of each query: the best positive's rank after re-ranking, and metres (NaN: none)."""

    def read_tile(place: int) -> Picture:
        return look_at(pairs.gallery[place].picture, looks[1])

    own = slice(chunk.start, chunk.stop)
    blocks = [b for _, b in similarity_blocks(queries.descriptors[own], gallery.descriptors)]
    block = np.concatenate(blocks)
    ranks = strict_ranks(block, pairs.positives[own])
    error_m = np.full(len(chunk), np.nan)
    for i, q in enumerate(chunk):
        bar.update(1)
        if np.isnan(queries.descriptors[q, 0]):
            continue
        row = block[i]
        top = [int(p) for p in best_places(row, model.candidates) if row[p] > NOWHERE]
        query = look_at(pairs.queries[q].picture, looks[0])
        tiles = [read_tile(place) for place in top]
        place = _primary(pairs, q, row)
        primary = None if place is None else read_tile(place)
        scores, heatmap = model.examine(query, tiles, row[top], primary)
        ranks[i] = reranked(int(ranks[i]), top, scores, pairs.positives[q])
        if heatmap is not None:
            error_m[i] = peak_error_m(heatmap, pairs.truths[q], model.grid)
    return ranks, error_m


def _primary(pairs: RetrievalSet, query: int, row: Floats32) -> int | None:
    """The tile that the truth is told in, if it could be read."""
    if not pairs.truths or not pairs.positives[query]:
        return None
    place = pairs.positives[query][0]
    return place if row[place] > NOWHERE else None


def reranked(rank: int, top: list[int], scores: Floats32, positives: tuple[int, ...]) -> int:
    """Rank of the best positive once the first tiles are ordered by their new scores, equal
    ones as they were. A positive beyond them keeps its rank in the whole gallery."""
    order = np.argsort(-np.asarray(scores), kind="stable")
    places = [n for n, i in enumerate(order, start=1) if top[i] in positives]
    return places[0] if places and rank != NEVER else rank


def _read(path: Path, count: int) -> tuple[Ranks, Floats] | None:
    try:
        with np.load(path, allow_pickle=False) as kept:
            ranks, error_m = kept["ranks"], kept["error_m"]
    except Exception:  # whatever a damaged archive raises: it is looked at anew
        return None
    return (ranks, error_m) if len(ranks) == len(error_m) == count else None


def _write(path: Path, ranks: Ranks, error_m: Floats) -> None:
    data = io.BytesIO()
    np.savez(data, ranks=ranks, error_m=error_m)
    write_whole(path, data.getvalue())
