"""A checkpoint on disk: whole or not there, and read without running any code in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from onboard.errors import InputError
from onboard.whole_file import partial_name

KEYS = ("settings", "step", "model", "average", "optimizer", "precision")


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """state: the KEYS, and whatever else a resumed run needs.

    Raises InputError: not writable, disk full; the checkpoint before stays as it was.
    """
    part = path.with_name(partial_name(path.name))
    try:
        with part.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except (OSError, RuntimeError) as e:  # torch reports some failed writes as RuntimeError
        part.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written ({e}); make room and start again") from e


def load_checkpoint(path: Path) -> dict[str, Any]:
    """What was saved, on the CPU. Raises InputError: absent, damaged, another kind of file."""
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
        missing = [k for k in KEYS if k not in state]
    except Exception as e:  # torch.load raises whatever its parsers raise
        raise InputError(f"{path}: not a checkpoint of `pilotage train` ({e}); remove it") from e
    if missing:
        raise InputError(
            f"{path}: not a checkpoint of `pilotage train` (no {', '.join(missing)}); remove it"
        )
    return state
