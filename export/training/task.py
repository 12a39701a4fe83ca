"""What the trainer asks of a task: a model, its batches, its losses, and how good it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn


class Task(Protocol):
    """One thing to train. Everything random in it follows from the settings' seed and the step,
    so that a resumed run equals one that was never killed."""

    model: nn.Module
    """All that is trained; its state_dict is the checkpoint's."""

    loss_weights: dict[str, float]
    """Loss name -> weight in the total."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Groups for AdamW, each with "params" and "peak", the learning rate after warm-up.
        Frozen parameters are in none."""

    def batches(self, first_step: int) -> Iterable[Any]:
        """Batches first_step, first_step + 1, ... of this process; ends after the last step."""

    def losses(
        self, model: nn.Module, batch: Any, step: int
    ) -> tuple[dict[str, Tensor], dict[str, float]]:
        """Scalar losses by the names of loss_weights, and shares worth a column in the log.
        `model` is self.model or its DistributedDataParallel wrapper."""

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Figures on held-out ground, always the same keys; `model` holds the averaged weights."""


@runtime_checkable
class Remembering(Protocol):
    """A task that carries more than its model from step to step: a sampler's learned table, an
    optimizer of its own. Saved with the checkpoint, and loaded before batches() is called."""

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values, as they are after the last batch that was handed out."""

    def load_state_dict(self, state: dict[str, Any]) -> None: ...
