"""Where training pairs of overhead pictures come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from export.overhead.scenes import Source


@dataclass(frozen=True)
class World:
    """The procedural world's share of the training pairs. A new landscape is built every
    `batches_per_landscape` batches; `first_seed` keeps training and validation apart."""

    weight: float
    size_m: float = 450.0
    ground_size_m: float = 0.25
    batches_per_landscape: int = 40
    kept_landscapes: int = 4
    first_seed: int = 1000


@dataclass(frozen=True)
class Pairs:
    """data: folder of the training sets. batch_pairs: of one process. picture_px: side of the
    training pictures, a multiple of 64."""

    data: Path
    source: tuple[Source, ...]
    world: World | None = None
    batch_pairs: int = 16
    picture_px: int = 192

    def __post_init__(self) -> None:
        if self.picture_px % 64:
            raise ValueError(f"picture_px is {self.picture_px}; it must be a multiple of 64")
        if self.batch_pairs < 2:
            raise ValueError("batch_pairs must be at least 2")
        if not self.source and self.world is None:
            raise ValueError("neither a source nor the world gives pairs; add one")


@dataclass(frozen=True)
class HeldOutGround:
    """Ground that training never sees, and how many views of it are asked for."""

    source: Source
    queries: int = 200
    ground_size_m: float = 0.5
