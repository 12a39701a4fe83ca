"""Batch number n of a training whose epochs are sampled one by one, some by what was learned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from export.samplers.exclusive import Batch
from export.samplers.neighbours import Neighbours
from onboard.errors import InputError

Plan = Callable[[int, Neighbours | None], list[Batch]]
"""Batches of an epoch: a pure function of its number and the table of neighbours."""

Search = Callable[[int, Neighbours | None], Neighbours | None]
"""What an epoch begins with: the table for it, given that of the epoch before."""


class Epochs:
    """Strings epochs together so that a resumed run sees the same batches.

    Without a search, a batch follows from its step alone. With one, the running epoch's table
    is part of the state: it was made by the weights of an earlier step. The state is that of
    the epoch whose batches were last handed out, so a reader may fetch ahead within it.
    """

    def __init__(self, plan: Plan, search: Search | None = None) -> None:
        self._plan = plan
        self._search = search
        self._epoch = -1
        self._first_step = 0
        self._neighbours: Neighbours | None = None

    def remaining(self, step: int) -> Iterator[tuple[int, list[Batch]]]:
        """(epoch, batches) without end: what is left of the epoch that `step` falls in, then
        whole epochs. The next epoch is searched and planned when it is asked for.

        Raises InputError: an epoch gives no batch; RuntimeError: a resumed run has a search and
        its state was not loaded.
        """
        if self._search is not None and self._epoch < 0 and step > 0:
            raise RuntimeError("the sampler's state must be loaded before a run is resumed")
        batches = [] if self._epoch < 0 else self._plan(self._epoch, self._neighbours)
        while True:
            done = step - self._first_step
            if done < len(batches):
                yield self._epoch, batches[done:]
                step = self._first_step + len(batches)
            first_step, epoch = self._first_step + len(batches), self._epoch + 1
            if self._search is not None:
                self._neighbours = self._search(epoch, self._neighbours)
            self._first_step, self._epoch = first_step, epoch
            batches = self._plan(epoch, self._neighbours)
            if not batches:
                raise InputError(
                    f"epoch {epoch} of the training set fills no batch; lower the batch size "
                    "or add samples"
                )

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers and one tensor: loads with weights_only."""
        table = self._neighbours
        return {
            "epoch": self._epoch,
            "first_step": self._first_step,
            "neighbours": None if table is None else torch.from_numpy(table.copy()),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._epoch, self._first_step = int(state["epoch"]), int(state["first_step"])
        table = state["neighbours"]
        self._neighbours = None if table is None else table.numpy()
