"""Trains the default network: resumable after a kill at any moment, to the same result."""

from __future__ import annotations

import csv
import math
import time
from collections import deque
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from export.losses.matching import cell_loss, centre_labels, patch_loss, retrieval_loss
from export.networks.unifygeo_edge import (
    COARSE_STRIDE,
    FINE_STRIDE,
    HeatmapDecoder,
    PatchMatcher,
    UnifyGeoEdge,
    load_xfeat,
)
from export.overhead.pairs import PairBatch
from export.overhead.scenes import load_scenes
from export.training.batches import BatchStream
from export.training.curves import draw_curves
from export.training.settings import TrainSettings
from export.validation.held_out import ValidationResult, held_out_set, validate
from onboard.errors import InputError

# after UnifyGeo's L_D + 100 L_G + 10 L_M + L_R, whose sums are here means over the batch
WEIGHTS = {
    "retrieval": 1.0,
    "rerank": 0.5,
    "heatmap": 0.5,
    "coarse": 0.25,
    "fine": 0.25,
    "patch": 0.5,
}
MAX_GRADIENT_NORM = 5.0
AVERAGING = 0.999  # of the weights that are validated and shipped
PREFETCHED = 6
LOG_EVERY = 20
LOG_FIELDS = ["step", "seconds", "loss", *WEIGHTS, "retrieval_hits", "located"]
VALIDATION_FIELDS = ["step", *ValidationResult.__dataclass_fields__]


class Model(nn.Module):
    """Everything that is trained."""

    def __init__(self, picture_px: int) -> None:
        super().__init__()
        self.network = UnifyGeoEdge()
        self.decoder = HeatmapDecoder(picture_px)
        self.matcher = PatchMatcher()
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def losses(self, batch: PairBatch) -> tuple[dict[str, Tensor], dict[str, float]]:
        """The losses, and the share of views that are retrieved and located rightly."""
        views, tiles = torch.from_numpy(batch.views), torch.from_numpy(batch.tiles)
        transform = torch.from_numpy(batch.view_to_tile)
        n, size = views.shape[:2]
        d, c, f = (x.split(n) for x in self.network(torch.cat((views, tiles))))
        label4 = centre_labels(transform, size, FINE_STRIDE)
        label8 = centre_labels(transform, size, COARSE_STRIDE)
        coarse, _ = self.decoder.coarse(c[0], c[1], all_pairs=True)
        own = torch.arange(n)
        spread8 = torch.zeros_like(coarse)
        spread8[own, own] = label8
        # the fine level meets its own tile and the next one, often a neighbour on the ground
        fused, fine = self.decoder(
            c[0].repeat(2, 1, 1, 1),
            f[0].repeat(2, 1, 1, 1),
            torch.cat((c[1], c[1].roll(1, 0))),
            torch.cat((f[1], f[1].roll(1, 0))),
        )
        two_tiles = torch.stack(fused.split(n), 1)
        spread4 = torch.stack((label4, torch.zeros_like(label4)), 1)
        losses = {
            "retrieval": retrieval_loss(d[0], d[1], self.log_scale),
            "rerank": cell_loss(coarse, spread8) + cell_loss(two_tiles, spread4),
            "heatmap": cell_loss(fused[:n], label4),
            "coarse": cell_loss(coarse[own, own], label8),
            "fine": cell_loss(fine[:n], label4),
            "patch": patch_loss(self.matcher, f[0], f[1], transform),
        }
        with torch.no_grad():
            hits = (d[0] @ d[1].T).argmax(1) == own
            near = spread8.flatten(1).gather(1, coarse.flatten(1).argmax(1)[:, None])[:, 0]
        return losses, {
            "retrieval_hits": float(hits.float().mean()),
            "located": float((near > 1e-3).float().mean()),
        }


def train(settings: TrainSettings, out: Path) -> Path:
    """Trains to the last step; returns the checkpoint. Goes on where `out` stands.

    Raises InputError: a set or the starting weights absent, `out` from other settings.
    """
    torch.manual_seed(settings.seed)
    model = Model(settings.picture_px)
    if settings.start_from is not None:
        _start_from(model, settings.start_from)
    average = Model(256)
    _copy_weights(model, average, 0.0)
    optimizer = _optimizer(model, settings)
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / "checkpoint.pt"
    step = _resume(checkpoint, settings, model, average, optimizer)
    _truncate_log(out / "log.csv", step)
    _truncate_log(out / "validation.csv", step)
    held_out_scene = load_scenes(settings.validation.source, settings.data)[0]
    held_out = held_out_set(
        held_out_scene, settings.validation.queries, settings.validation.ground_size_m
    )
    loader = DataLoader(
        BatchStream(settings, step),
        batch_size=None,
        num_workers=1,
        prefetch_factor=PREFETCHED,
        multiprocessing_context="spawn",  # a forked child would inherit OpenCV's dead threads
    )
    recent: deque[dict[str, float]] = deque(maxlen=LOG_EVERY)
    start = time.monotonic()
    first_step = step
    for batch in loader:
        _set_learning_rate(optimizer, settings, step)
        model.train()
        losses, shares = model.losses(batch)
        total = torch.stack([WEIGHTS[k] * v for k, v in losses.items()]).sum()
        if not torch.isfinite(total):
            raise InputError(
                f"{out}: the loss became {float(total)} at step {step}; lower learning_rate"
            )
        optimizer.zero_grad()
        torch.autograd.backward(total)
        nn.utils.clip_grad_norm_(model.parameters(), MAX_GRADIENT_NORM)
        optimizer.step()
        step += 1
        _copy_weights(model, average, min(AVERAGING, 1 - 10 / (step + 10)))
        recent.append({"loss": total.item(), **{k: v.item() for k, v in losses.items()}, **shares})
        if step % LOG_EVERY == 0:
            seconds = time.monotonic() - start
            means = {k: sum(r[k] for r in recent) / len(recent) for k in recent[0]}
            _append(
                out / "log.csv", LOG_FIELDS, {"step": step, "seconds": round(seconds, 1), **means}
            )
            rate = (step - first_step) / seconds
            print(
                f"step {step}/{settings.steps}  {rate:.2f}/s  "
                f"{(settings.steps - step) / rate / 60:.0f} min left  "
                + "  ".join(f"{k} {v:.3f}" for k, v in means.items()),
                flush=True,
            )
        if step % settings.validation.every_steps == 0 or step == settings.steps:
            result = asdict(validate(average.network, average.decoder, held_out))
            _append(out / "validation.csv", VALIDATION_FIELDS, {"step": step, **result})
            print("validation " + "  ".join(f"{k} {v:.3f}" for k, v in result.items()), flush=True)
            draw_curves(out / "log.csv", out / "validation.csv", out / "curves.png")
        if step % settings.checkpoint_every_steps == 0 or step == settings.steps:
            _save(checkpoint, settings, step, model, average, optimizer)
    return checkpoint


def _start_from(model: Model, path: Path) -> None:
    try:
        load_xfeat(model.network, torch.load(path, weights_only=True, map_location="cpu"))
    except (OSError, RuntimeError, ValueError, KeyError) as e:
        raise InputError(
            f"{path}: cannot start from these weights ({e}); correct 'start_from'"
        ) from e


def _optimizer(model: Model, settings: TrainSettings) -> torch.optim.Optimizer:
    encoder = list(model.network.encoder.parameters())
    known = {id(p) for p in encoder}
    rest = [p for p in model.parameters() if id(p) not in known]
    groups = [
        {"params": encoder, "peak": settings.encoder_learning_rate},
        {"params": rest, "peak": settings.learning_rate},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, weight_decay=settings.weight_decay)


def _set_learning_rate(
    optimizer: torch.optim.Optimizer, settings: TrainSettings, step: int
) -> None:
    """Linear warm-up, then half a cosine down to a hundredth."""
    rise = min(1.0, (step + 1) / settings.warm_up_steps)
    fall = 0.505 + 0.495 * math.cos(math.pi * step / settings.steps)
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * rise * fall


@torch.no_grad()
def _copy_weights(model: Model, average: Model, keep: float) -> None:
    for own, other in zip(average.parameters(), model.parameters(), strict=True):
        own.lerp_(other, 1.0 - keep)


def _save(
    path: Path,
    settings: TrainSettings,
    step: int,
    model: Model,
    average: Model,
    optimizer: torch.optim.Optimizer,
) -> None:
    part = path.with_suffix(".part")
    state = {
        "settings": repr(settings),
        "step": step,
        "model": model.state_dict(),
        "average": average.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    torch.save(state, part)
    part.replace(path)


def _resume(
    path: Path,
    settings: TrainSettings,
    model: Model,
    average: Model,
    optimizer: torch.optim.Optimizer,
) -> int:
    if not path.exists():
        return 0
    state = load_checkpoint(path)
    if state["settings"] != repr(settings):
        raise InputError(
            f"{path}: belongs to other settings; give another --out, or remove it to start afresh"
        )
    model.load_state_dict(state["model"])
    average.load_state_dict(state["average"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Reads a checkpoint without running any code in it. Raises InputError."""
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
        return {k: state[k] for k in ("settings", "step", "model", "average", "optimizer")}
    except Exception as e:  # torch.load raises whatever its parsers raise
        raise InputError(f"{path}: not a checkpoint of `pilotage train` ({e}); remove it") from e


def _append(path: Path, fields: list[str], row: dict[str, Any]) -> None:
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, fields)
        if new:
            writer.writeheader()
        writer.writerow({k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()})


def _truncate_log(path: Path, step: int) -> None:
    """Drops rows that a killed run wrote after its last checkpoint."""
    if not path.exists():
        return
    with path.open(newline="", encoding="utf-8") as f:
        rows = list(csv.reader(f))
    kept = rows[:1] + [r for r in rows[1:] if r and r[0].isdigit() and int(r[0]) <= step]
    part = path.with_suffix(".part")
    with part.open("w", newline="", encoding="utf-8") as f:
        csv.writer(f).writerows(kept)
    part.replace(path)
