"""The one training loop: resumable after a kill at any moment, to the same result.

Works alone and under torchrun (DistributedDataParallel); only the first process writes.
"""

from __future__ import annotations

import copy
import time
from collections import deque
from pathlib import Path
from typing import Any

import torch
from torch import nn

from export.training import distributed
from export.training.clipping import clip_gradients
from export.training.csv_log import append_row, truncate_after
from export.training.curves import draw_curves
from export.training.precision import MixedPrecision
from export.training.run_settings import Run
from export.training.schedule import rate_factor
from export.training.task import Task
from onboard.errors import InputError

LOG_EVERY = 20
SEED_STRIDE = 1_000_003  # more than any run has steps
CHECKPOINT_KEYS = ("settings", "step", "model", "average", "optimizer", "precision")


def train(task: Task, run: Run, identity: str, out: Path) -> Path:
    """Trains to the last step; returns the checkpoint. Goes on where `out` stands.

    identity: all settings as one string; a checkpoint of others is refused. Raises InputError:
    `out` from other settings, a damaged checkpoint, a loss that is no number.
    """
    device = distributed.device()
    task.model.to(device)
    average = copy.deepcopy(task.model)
    groups = task.parameter_groups()
    optimizer = torch.optim.AdamW(groups, lr=groups[0]["peak"], weight_decay=run.weight_decay)
    precision = MixedPrecision(run.precision, device)
    checkpoint = out / "checkpoint.pt"
    step = _resume(checkpoint, identity, task.model, average, optimizer, precision)
    trained = distributed.wrapped(task.model)
    log, validation = out / "log.csv", out / "validation.csv"
    rank, first = distributed.rank(), distributed.is_first()
    if first:
        out.mkdir(parents=True, exist_ok=True)
        truncate_after(log, step)
        truncate_after(validation, step)
    recent: deque[dict[str, float]] = deque(maxlen=LOG_EVERY)
    start, first_step = time.monotonic(), step
    parameters = [p for g in groups for p in g["params"]]
    for batch in task.batches(step):
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * rate_factor(
                run.schedule, step, run.steps, run.warm_up_steps, run.final_rate
            )
        trained.train()
        # what is random inside the network (dropout) follows from the step, resumed or not
        torch.manual_seed((run.seed * SEED_STRIDE + step) * distributed.world_size() + rank)
        with precision.autocast():
            losses, shares = task.losses(trained, batch, step)
            total = torch.stack([task.loss_weights[k] * v for k, v in losses.items()]).sum()
        if not torch.isfinite(total):
            raise InputError(
                f"{out}: the loss became {float(total)} at step {step}; lower the learning rate"
            )
        optimizer.zero_grad()
        precision.backward(total)
        precision.unscale(optimizer)
        clip_gradients(parameters, run.max_gradient_norm, run.max_gradient_value)
        precision.step(optimizer)
        step += 1
        _average_weights(task.model, average, min(run.averaging, 1 - 10 / (step + 10)))
        named = {"loss": total, **losses}
        recent.append({**{k: float(v.detach()) for k, v in named.items()}, **shares})
        if not first:
            continue
        if step % LOG_EVERY == 0:
            _log(log, recent, step, run.steps, (step - first_step) / (time.monotonic() - start))
        if step % run.validate_every_steps == 0 or step == run.steps:
            figures = task.validate(average)
            append_row(validation, {"step": step, **figures})
            print("validation " + "  ".join(f"{k} {v:.3f}" for k, v in figures.items()), flush=True)
            draw_curves(log, validation, out / "curves.png")
        if step % run.checkpoint_every_steps == 0 or step == run.steps:
            _save(checkpoint, identity, step, task.model, average, optimizer, precision)
    distributed.barrier()
    return checkpoint


def _log(
    path: Path, recent: deque[dict[str, float]], step: int, steps: int, per_second: float
) -> None:
    means = {k: sum(r[k] for r in recent) / len(recent) for k in recent[0]}
    minutes_left = (steps - step) / per_second / 60
    append_row(path, {"step": step, **means})
    print(
        f"step {step}/{steps}  {per_second:.2f}/s  {minutes_left:.0f} min left  "
        + "  ".join(f"{k} {v:.3f}" for k, v in means.items()),
        flush=True,
    )


@torch.no_grad()
def _average_weights(model: nn.Module, average: nn.Module, keep: float) -> None:
    for own, other in zip(average.parameters(), model.parameters(), strict=True):
        own.lerp_(other, 1.0 - keep)
    for own, other in zip(average.buffers(), model.buffers(), strict=True):
        own.copy_(other)


def _save(
    path: Path,
    identity: str,
    step: int,
    model: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    precision: MixedPrecision,
) -> None:
    state = {
        "settings": identity,
        "step": step,
        "model": model.state_dict(),
        "average": average.state_dict(),
        "optimizer": optimizer.state_dict(),
        "precision": precision.state_dict(),
    }
    part = path.with_suffix(".part")
    try:
        torch.save(state, part)
        part.replace(path)
    except (OSError, RuntimeError) as e:  # torch reports a full disk as RuntimeError
        part.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written ({e}); make room and start again") from e


def _resume(
    path: Path,
    identity: str,
    model: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    precision: MixedPrecision,
) -> int:
    if not path.exists():
        return 0
    state = load_checkpoint(path)
    if state["settings"] != identity:
        raise InputError(
            f"{path}: belongs to other settings; give another --out, or remove it to start afresh"
        )
    model.load_state_dict(state["model"])
    average.load_state_dict(state["average"])
    optimizer.load_state_dict(state["optimizer"])
    precision.load_state_dict(state["precision"])
    return int(state["step"])


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Reads a checkpoint without running any code in it. Raises InputError."""
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
        return {k: state[k] for k in CHECKPOINT_KEYS}
    except Exception as e:  # torch.load raises whatever its parsers raise
        raise InputError(f"{path}: not a checkpoint of `pilotage train` ({e}); remove it") from e
