"""The one training loop: resumable after a kill at any moment, to the same result.

Works alone and under torchrun (DistributedDataParallel); only the first process writes.
"""

from __future__ import annotations

import copy
import time
from collections import deque
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import nn

from export.training import distributed
from export.training.checkpoint import load_checkpoint, save_checkpoint
from export.training.clipping import clip_gradients
from export.training.csv_log import append_row, truncate_after
from export.training.curves import draw_curves
from export.training.precision import MixedPrecision
from export.training.run_settings import Run
from export.training.schedule import rate_factor
from export.training.task import Remembering, Task
from onboard.errors import InputError
from onboard.whole_file import make_folder

LOG_EVERY = 20
SEED_STRIDE = 1_000_003  # more than any run has steps


@dataclass(frozen=True)
class _State:
    """All that the next step depends on besides the settings and its number."""

    task: Task
    average: nn.Module
    optimizer: torch.optim.Optimizer
    precision: MixedPrecision
    recent: deque[dict[str, float]]  # what the next line of the log is the mean of


def train(task: Task, run: Run, identity: str, out: Path) -> Path:
    """Trains to the last step; returns the checkpoint. Goes on where `out` stands.

    identity: all settings as one string; a checkpoint of others is refused. Raises InputError:
    `out` from other settings, a damaged checkpoint, no room for it, a loss or a gradient that
    is no number, too few batches.
    """
    device = distributed.device()
    rank, processes, first = distributed.rank(), distributed.world_size(), distributed.is_first()
    if processes > 1:  # the batches are others
        identity += f" on {processes} processes"
    task.model.to(device)
    average = copy.deepcopy(task.model)
    groups = task.parameter_groups()
    optimizer = torch.optim.AdamW(groups, lr=groups[0]["peak"], weight_decay=run.weight_decay)
    precision = MixedPrecision(run.precision, device)
    recent: deque[dict[str, float]] = deque(maxlen=LOG_EVERY)
    state = _State(task, average, optimizer, precision, recent)
    checkpoint = out / "checkpoint.pt"
    step = _resume(checkpoint, identity, state)
    trained = distributed.wrapped(task.model)
    log, validation = out / "log.csv", out / "validation.csv"
    if first:
        make_folder(out)
        truncate_after(log, step)
        truncate_after(validation, step)
    start, first_step = time.monotonic(), step
    parameters = [p for g in groups for p in g["params"]]
    for batch in islice(task.batches(step), run.steps - step):
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * rate_factor(
                run.schedule, step, run.steps, run.warm_up_steps, run.final_rate
            )
        trained.train()
        # what is random inside the network (dropout) follows from the step, resumed or not
        torch.manual_seed((run.seed * SEED_STRIDE + step) * processes + rank)
        with precision.autocast():
            losses, shares = task.losses(trained, batch, step)
            total = torch.stack([task.loss_weights[k] * v for k, v in losses.items()]).sum()
        optimizer.zero_grad()
        precision.backward(total)
        precision.unscale(optimizer)
        norm = clip_gradients(parameters, run.max_gradient_norm, run.max_gradient_value)
        try:
            if not torch.isfinite(total):
                raise FloatingPointError(f"the loss became {float(total.detach())}")
            precision.step(optimizer, norm)
        except FloatingPointError as e:
            raise InputError(f"{out}: {e} at step {step}; lower the learning rate") from e
        step += 1
        _average_weights(task.model, average, min(run.averaging, 1 - 10 / (step + 10)))
        named = {"loss": total, **losses}
        recent.append({**{k: float(v.detach()) for k, v in named.items()}, **shares})
        if not first:
            continue
        if step % LOG_EVERY == 0:
            row = {k: sum(r[k] for r in recent) / len(recent) for k in recent[0]}
            if run.precision == "fp16":
                row["skipped_steps"] = precision.skipped
            _log(log, row, step, run.steps, (step - first_step) / (time.monotonic() - start))
        if step % run.validate_every_steps == 0 or step == run.steps:
            figures = task.validate(average)
            append_row(validation, {"step": step, **figures})
            print("validation " + "  ".join(f"{k} {v:.3f}" for k, v in figures.items()), flush=True)
            draw_curves(log, validation, out / "curves.png")
        if step % run.checkpoint_every_steps == 0 or step == run.steps:
            _save(checkpoint, identity, step, state)
    if step < run.steps:
        raise InputError(
            f"{out}: the training set ended after {step} of {run.steps} steps; "
            "lower steps or add samples"
        )
    distributed.barrier()
    return checkpoint


def _log(path: Path, row: dict[str, Any], step: int, steps: int, per_second: float) -> None:
    minutes_left = (steps - step) / per_second / 60
    append_row(path, {"step": step, **row})
    print(
        f"step {step}/{steps}  {per_second:.2f}/s  {minutes_left:.0f} min left  "
        + "  ".join(f"{k} {v:.3f}" for k, v in row.items()),
        flush=True,
    )


@torch.no_grad()
def _average_weights(model: nn.Module, average: nn.Module, keep: float) -> None:
    """Statistics of batch norms, too: the newest ones are those of other weights."""
    for own, other in zip(average.parameters(), model.parameters(), strict=True):
        own.lerp_(other, 1.0 - keep)
    for kept, newest in zip(average.buffers(), model.buffers(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(newest, 1.0 - keep)
        else:
            kept.copy_(newest)


def _save(path: Path, identity: str, step: int, state: _State) -> None:
    saved = {
        "settings": identity,
        "step": step,
        "model": state.task.model.state_dict(),
        "average": state.average.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "precision": state.precision.state_dict(),
        "recent": list(state.recent),
    }
    if isinstance(state.task, Remembering):
        saved["task"] = state.task.state_dict()
    save_checkpoint(path, saved)


def _resume(path: Path, identity: str, state: _State) -> int:
    if not path.exists():
        return 0
    saved = load_checkpoint(path)
    if saved["settings"] != identity:
        raise InputError(
            f"{path}: belongs to other settings; give another --out, or remove it to start afresh"
        )
    try:
        state.task.model.load_state_dict(saved["model"])
        state.average.load_state_dict(saved["average"])
        state.optimizer.load_state_dict(saved["optimizer"])
        state.precision.load_state_dict(saved["precision"])
        state.recent.extend(saved.get("recent", ()))
        if isinstance(state.task, Remembering):
            state.task.load_state_dict(saved["task"])
    except (RuntimeError, ValueError, KeyError) as e:
        raise InputError(
            f"{path}: written by another version of this training ({e}); remove it"
        ) from e
    return int(saved["step"])
