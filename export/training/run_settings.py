"""How long and how fast to train: the part of the configuration that every task shares."""

from __future__ import annotations

from dataclasses import dataclass

from export.training.schedule import Schedule


@dataclass(frozen=True)
class Run:
    """steps: optimizer steps in all. schedule: how the learning rate falls, down to the share
    `final_rate` of its peak (absent: the schedule's own). max_gradient_norm and
    max_gradient_value clip where given (Sample4Geo, CV-Cities and UnifyGeo clip values at 100).
    averaging: of the weights that are validated and exported; 0 takes the last ones. precision:
    fp32, bf16 or fp16 (autocast)."""

    steps: int
    seed: int = 1
    warm_up_steps: int = 200
    schedule: Schedule = Schedule.COSINE
    final_rate: float | None = None
    weight_decay: float = 0.01
    max_gradient_norm: float | None = 5.0
    max_gradient_value: float | None = None
    averaging: float = 0.999
    precision: str = "fp32"
    validate_every_steps: int = 1000
    checkpoint_every_steps: int = 200

    def __post_init__(self) -> None:
        if self.steps < 1 or self.warm_up_steps < 0:
            raise ValueError("steps must be at least 1 and warm_up_steps at least 0")
        if not 0 <= self.averaging < 1:
            raise ValueError(f"averaging is {self.averaging}; it must be in 0..1")
        if self.precision not in ("fp32", "bf16", "fp16"):
            raise ValueError(f"precision '{self.precision}' is not one of fp32, bf16, fp16")
