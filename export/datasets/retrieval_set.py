"""What every data set is read into: pictures to find, pictures to find them among, the truth."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

Indexes = tuple[tuple[int, ...], ...]  # per query: places in the gallery
Weights = tuple[tuple[float, ...], ...]  # per query: one for each of its indexes
Size = tuple[int, int]  # (height, width) in pixels


class View(str, Enum):
    """Where a picture was taken from. GROUND: a panorama all around, its middle north; STREET: a
    photograph in some direction."""

    DRONE = "drone"
    SATELLITE = "satellite"
    GROUND = "ground"
    STREET = "street"


class Protocol(str, Enum):
    """How the set's authors count (the formulas are in export/metrics/)."""

    CLASSES = "classes"  # University-1652, SUES-200: AP and CMC over labels, junk rule
    PAIRS = "pairs"  # CVUSA, CVACT: one to one
    TILES = "tiles"  # VIGOR: primary and semi-positives, hit rate, metres within the tile
    POSITIONS = "positions"  # DenseUAV, UAV-VisLoc, GTA-UAV, AnyVisLoc, own flights: distances


@dataclass(frozen=True)
class Item:
    """One picture. label: the id by which the set groups. position_deg: (lat, lon), WGS84.
    position_m: (x, y) of a set with a local metric frame. width_m: ground that the picture's
    width covers, where the set tells."""

    picture: Path
    label: str
    position_deg: tuple[float, float] | None = None
    position_m: tuple[float, float] | None = None
    width_m: float | None = None


@dataclass(frozen=True)
class TileTruth:
    """Where a query's camera stood in its primary tile: column and row in the tile's own
    pixels (the corner of the first pixel is (0, 0)), of which a side has tile_px."""

    col_px: float
    row_px: float
    tile_px: int
    metres_per_px: float


@dataclass(frozen=True)
class RetrievalSet:
    """One direction of one split, ready to be measured.

    name: for people, with split and direction. positives: per query its right answers in the
    gallery; may be empty for a query that has none. semi_positives: answers that are neither
    right nor wrong; () where the set has no such thing. weights, semi_weights: footprint IoU of
    each of them; () where the set tells none. truths: one a query; () where the set tells none.
    query_size, gallery_size: as the field feeds them to networks.

    Raises ValueError: lists of different lengths, an index outside the gallery.
    """

    name: str
    protocol: Protocol
    query_view: View
    gallery_view: View
    query_size: Size
    gallery_size: Size
    queries: tuple[Item, ...]
    gallery: tuple[Item, ...]
    positives: Indexes
    semi_positives: Indexes = ()
    weights: Weights = ()
    semi_weights: Weights = ()
    truths: tuple[TileTruth, ...] = ()

    def __post_init__(self) -> None:
        _check(self.queries, self.gallery, self.positives, self.weights)
        if self.semi_positives:
            _check(self.queries, self.gallery, self.semi_positives, self.semi_weights)
        if self.truths and len(self.truths) != len(self.queries):
            raise ValueError(f"{len(self.truths)} truths for {len(self.queries)} queries")


@dataclass(frozen=True)
class TrainingSet:
    """Pairs of the two views to train on. Every query has at least one positive; a batch
    takes one of them. Two queries of a batch must not share a label, and none may meet
    another's positive or semi-positive. Fields as in `RetrievalSet`, which see."""

    name: str
    query_view: View
    gallery_view: View
    query_size: Size
    gallery_size: Size
    queries: tuple[Item, ...]
    gallery: tuple[Item, ...]
    positives: Indexes
    semi_positives: Indexes = ()
    weights: Weights = ()
    truths: tuple[TileTruth, ...] = ()

    def __post_init__(self) -> None:
        _check(self.queries, self.gallery, self.positives, self.weights)
        if self.semi_positives:
            _check(self.queries, self.gallery, self.semi_positives, ())
        if self.truths and len(self.truths) != len(self.queries):
            raise ValueError(f"{len(self.truths)} truths for {len(self.queries)} queries")
        if not all(self.positives):
            raise ValueError("a training query without a positive")


def same_label(queries: tuple[Item, ...], gallery: tuple[Item, ...]) -> Indexes:
    """Positives of sets that group by label."""
    places: dict[str, list[int]] = {}
    for i, item in enumerate(gallery):
        places.setdefault(item.label, []).append(i)
    kept = {label: tuple(found) for label, found in places.items()}
    return tuple(kept.get(query.label, ()) for query in queries)


def _check(
    queries: tuple[Item, ...], gallery: tuple[Item, ...], indexes: Indexes, weights: Weights
) -> None:
    if len(indexes) != len(queries):
        raise ValueError(f"answers for {len(indexes)} of {len(queries)} queries")
    for own in indexes:
        if own and not (min(own) >= 0 and max(own) < len(gallery)):
            raise ValueError(f"an answer {own} outside a gallery of {len(gallery)}")
    if weights and [len(w) for w in weights] != [len(own) for own in indexes]:
        raise ValueError("not one weight for each answer")
