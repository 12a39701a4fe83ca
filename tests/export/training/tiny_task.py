"""A training of seconds with all that a resumed run could lose: dropout, a sampler that learns,
scaled gradients, an average, an optimizer of its own. Runs by itself, for tests that need
processes of their own:

    python tiny_task.py kill OUT     starts every case of CASES and kills each with SIGKILL
    python tiny_task.py parallel OUT trains under torchrun
"""

from __future__ import annotations

import math
import os
import signal
import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from export.losses.infonce import symmetric_infonce, weighted_infonce
from export.losses.multi_similarity import multi_similarity
from export.samplers.classes import several_of_each
from export.samplers.epochs import Epochs
from export.samplers.exclusive import Samples, exclusive_batches
from export.samplers.gps import nearest_by_gps
from export.samplers.neighbours import neighbour_batches
from export.samplers.similarity import nearest_by_similarity
from export.training import distributed
from export.training.run_settings import Run
from export.training.trainer import train

PLACES, VIEWS, DIM = 14, 3, 6
KILLED_AT = 23
STEPS = 30
BATCH = 4

CASES = {  # name -> sampler, precision
    "gps": ("gps", "fp32"),
    "similarity": ("similarity", "fp32"),
    "exclusive": ("exclusive", "fp32"),
    "several": ("several", "fp32"),
    "similarity-bf16": ("similarity", "bf16"),
    "similarity-fp16": ("similarity", "fp16"),
}


class TinyModel(nn.Module):
    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(DIM, 16), nn.LayerNorm(16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 8)
        )
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        self.rarely = nn.Parameter(torch.ones(8))  # in every third step's graph

    def describe(self, x, rarely=False):
        d = self.layers(x)
        return F.normalize((d * self.rarely if rarely else d).float(), dim=1)

    def forward(self, a, b, labels, iou, rarely):
        """The losses need the whole batch, as the tasks' do: they stand in forward."""
        d, e = self.describe(a, rarely), self.describe(b, rarely)
        return {
            "symmetric": symmetric_infonce(d, e, self.log_scale),
            "weighted": weighted_infonce(d, e, self.log_scale, iou),
            "similar": multi_similarity(torch.cat((d, e)), torch.cat((labels, labels))),
        }


class TinyTask:
    def __init__(self, sampler: str, dropout: float = 0.2, dies_at: int | None = None) -> None:
        torch.manual_seed(4)
        rng = np.random.default_rng(4)
        self.places = np.repeat(np.arange(PLACES), VIEWS)
        self.references = torch.randn(PLACES, DIM)
        self.queries = self.references[self.places] + 0.5 * torch.randn(PLACES * VIEWS, DIM)
        self.iou = torch.rand(PLACES * VIEWS)
        self.lat_deg, self.lon_deg = rng.uniform(0, 1e-3, (2, PLACES))
        positives = tuple(frozenset({int(p), int(p + 1) % PLACES}) for p in self.places)
        self.samples = Samples(self.places, positives)
        self.sampler = sampler
        self.dies_at = dies_at
        self.model = TinyModel(dropout)
        self.loss_weights = {"symmetric": 1.0, "weighted": 0.5, "similar": 0.3}
        search = {"gps": self._by_gps, "similarity": self._by_similarity}.get(sampler)
        self.epochs = Epochs(self._plan, search)
        self.side = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], 0.1, momentum=0.9)

    def parameter_groups(self):
        return [{"params": list(self.model.parameters()), "peak": 0.02}]

    def batches(self, first_step):
        for _, batches in self.epochs.remaining(first_step):
            yield from batches

    def losses(self, model, batch, step):
        if step == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        size = len(batch) // distributed.world_size()
        own = batch[distributed.rank() * size :][:size]
        labels = self.places[own]
        return model(
            self.queries[own],
            self.references[labels],
            torch.from_numpy(labels),
            self.iou[own],
            step % 3 == 0,
        ), {"share": float(self._side_step(own))}

    def _side_step(self, own):
        """An estimator in alternation with the network, as vCLUB's."""
        (estimate,) = self.side.param_groups[0]["params"]
        self.side.zero_grad()
        loss = (estimate - self.queries[own, :3].mean(0)).pow(2).sum()
        loss.backward()
        self.side.step()
        return loss.detach()

    def validate(self, model):
        model.eval()
        with torch.no_grad():
            hits = model.describe(self.queries) @ model.describe(self.references).T
        return {"recall_1": float((hits.argmax(1).numpy() == self.places).mean())}

    def state_dict(self):
        (estimate,) = self.side.param_groups[0]["params"]
        return {
            "epochs": self.epochs.state_dict(),
            "side": self.side.state_dict(),
            "estimate": estimate.detach(),
        }

    def load_state_dict(self, state):
        (estimate,) = self.side.param_groups[0]["params"]
        self.epochs.load_state_dict(state["epochs"])
        self.side.load_state_dict(state["side"])
        estimate.data.copy_(state["estimate"])

    def _plan(self, epoch, neighbours):
        if self.sampler == "several":
            return several_of_each(self.places, 1, epoch, places=2, pictures=2)
        if neighbours is None:
            return exclusive_batches(self.samples, BATCH, np.random.default_rng((1, epoch)))
        return neighbour_batches(self.samples, neighbours, BATCH, 1, epoch, selected=4)

    def _by_gps(self, epoch, table):
        return nearest_by_gps(self.samples, self.lat_deg, self.lon_deg, 6)

    @torch.no_grad()
    def _by_similarity(self, epoch, table):
        if epoch % 2 and table is not None:
            return table
        self.model.eval()
        return nearest_by_similarity(
            self.samples, self.model.describe(self.queries), self.model.describe(self.references), 6
        )


def run_tiny(task: TinyTask, out: Path, precision: str = "fp32") -> Path:
    run = Run(
        steps=STEPS,
        warm_up_steps=3,
        averaging=0.9,
        precision=precision,
        validate_every_steps=STEPS,
        checkpoint_every_steps=9,
        max_gradient_value=100.0,
    )
    return train(task, run, f"tiny {task.sampler} {run}", out)


def _dies(case: str, out: Path) -> bool:
    """Trains in a child until it is killed; true when it was."""
    child = os.fork()
    if child == 0:
        sampler, precision = CASES[case]
        run_tiny(TinyTask(sampler, dies_at=KILLED_AT), out / case, precision)
        os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL


if __name__ == "__main__":
    torch.set_num_threads(1)
    what, out = sys.argv[1], Path(sys.argv[2])
    if what == "kill":
        out.mkdir(parents=True, exist_ok=True)
        sys.exit(0 if all(map(partial(_dies, out=out), CASES)) else 1)
    run_tiny(TinyTask("similarity", dropout=0.0), out)
