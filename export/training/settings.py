"""The one configuration file of `pilotage train`."""

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
class Validation:
    """Held-out ground: a whole region of an XYZ folder, and seeds of the procedural world."""

    source: Source
    queries: int = 200
    ground_size_m: float = 0.5
    every_steps: int = 1000


@dataclass(frozen=True)
class TrainSettings:
    """data: folder of the training sets. start_from: state dict of XFeat with batch norm
    folded (Apache-2.0), or absent to start from random weights. picture_px: side of the
    training pictures, a multiple of 64."""

    model_id: str
    data: Path
    steps: int
    source: tuple[Source, ...]
    validation: Validation
    world: World | None = None
    start_from: Path | None = None
    seed: int = 1
    batch_pairs: int = 16
    picture_px: int = 192
    learning_rate: float = 1e-3
    encoder_learning_rate: float = 3e-4
    weight_decay: float = 0.01
    warm_up_steps: int = 200
    checkpoint_every_steps: int = 200

    def __post_init__(self) -> None:
        if self.picture_px % 64:
            raise ValueError(f"picture_px is {self.picture_px}; it must be a multiple of 64")
        if self.steps < 1 or self.batch_pairs < 2:
            raise ValueError("steps must be at least 1 and batch_pairs at least 2")
