"""Weights from a file into a network: checked whole before the first is copied."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from export.checkpoint_layouts import known_layout
from onboard.errors import InputError

# what state dicts are found wrapped in; `pilotage train` writes "average" beside "model"
WRAPPERS = ("state_dict", "average", "model_state_dict", "model")
PARALLEL_PREFIX = "module."  # of networks saved inside (Distributed)DataParallel
NAMED_KEYS = 3  # so many are named in a sentence, the others counted
ZIP_START = b"PK\x03\x04"


def load_weights(
    network: nn.Module, path: Path, prefix: str = "", leave: tuple[str, ...] = ()
) -> None:
    """Fills the network from a `.pth`/`.pt`/`.ckpt` (no code in it is run) or `.safetensors`.

    prefix: only keys that begin with it are taken, without it. leave: beginnings of keys that
    the network knowingly has no place for. Raises InputError, with the network as it was: no
    such file, damaged, a pickle that would run code, keys or shapes of another network, NaN.
    """
    state = read_state_dict(path)
    layout = known_layout(state)
    looks = f"; the file looks like {layout}" if layout else ""
    if prefix:
        state = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        if not state:
            raise InputError(f"{path}: has no weights below '{prefix}'{looks}; give another")
    state = {k: v for k, v in state.items() if not k.startswith(leave or ("\0",))}
    wanted = network.state_dict()
    _check_keys(path, state, wanted, looks)
    _check_shapes(path, state, wanted, looks)
    _check_numbers(path, state)
    network.load_state_dict(state)


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The file's tensors by name, out of the usual wrappers. Raises InputError."""
    if not path.is_file():
        raise InputError(f"{path}: no such file of weights; check the name")
    read = _read_safetensors if path.suffix == ".safetensors" else _read_torch
    state: Any = read(path)
    if isinstance(state, Mapping):
        state = next((state[w] for w in WRAPPERS if isinstance(state.get(w), Mapping)), state)
    if not isinstance(state, Mapping) or not state:
        raise InputError(f"{path}: holds no weights by name; save a network's state_dict")
    strange = [str(k) for k, v in state.items() if not isinstance(v, Tensor)]
    if strange:
        raise InputError(
            f"{path}: not a state_dict, {_some(strange)} being no tensor; save the state_dict alone"
        )
    parallel = all(str(k).startswith(PARALLEL_PREFIX) for k in state)
    return {str(k).removeprefix(PARALLEL_PREFIX if parallel else ""): v for k, v in state.items()}


def _read_torch(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            starts_as_zip = file.read(len(ZIP_START)) == ZIP_START
    except OSError as e:
        raise InputError(f"{path}: cannot be read ({e.strerror}); check its permissions") from e
    zipped = zipfile.is_zipfile(path)
    if starts_as_zip and not zipped:
        raise InputError(f"{path}: damaged, its end is missing; copy or download it again")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle protocols: the sentence below says it
            return torch.load(path, weights_only=True, map_location="cpu", mmap=zipped)
    except Exception as e:  # torch's parsers raise every kind about files that are none of theirs
        call = re.search(r"GLOBAL (\S+)", str(e)) if isinstance(e, pickle.UnpicklingError) else None
        if call is None:
            raise InputError(
                f"{path}: damaged, or no file of torch.save; nothing in it was run; "
                "copy or download it again"
            ) from e
        raise InputError(
            f"{path}: refused, and nothing in it was run: loading it would call {call.group(1)}, "
            "which weights do not need; save the network's state_dict alone"
        ) from e


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ModuleNotFoundError as e:
        raise InputError(
            f"{path}: reading it needs a package; install it with: pip install safetensors"
        ) from e
    try:
        state: dict[str, Tensor] = load_file(path)
        return state
    except (SafetensorError, OSError) as e:
        raise InputError(f"{path}: damaged ({e}); copy or download it again") from e


def _check_keys(
    path: Path, state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], looks: str
) -> None:
    missing = [k for k in wanted if k not in state]
    unexpected = [k for k in state if k not in wanted]
    if missing or unexpected:
        parts = [f"lacks {_some(missing)}"] if missing else []
        parts += [f"has {_some(unexpected)} that the network does not know"] if unexpected else []
        raise InputError(f"{path}: weights of another network: {' and '.join(parts)}{looks}")


def _check_shapes(
    path: Path, state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], looks: str
) -> None:
    other = [k for k, v in state.items() if v.shape != wanted[k].shape]
    if other:
        key = other[0]
        more = f" (and {len(other) - 1} more)" if len(other) > 1 else ""
        raise InputError(
            f"{path}: weights of another size: '{key}' is {tuple(state[key].shape)} there and "
            f"{tuple(wanted[key].shape)} in the network{more}{looks}"
        )


def _check_numbers(path: Path, state: Mapping[str, Tensor]) -> None:
    for key, value in state.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            count = int((~torch.isfinite(value)).sum())
            raise InputError(
                f"{path}: '{key}' holds {count} NaN or infinite values of {value.numel()}; "
                "its training failed, take an earlier checkpoint"
            )


def _some(keys: list[str]) -> str:
    named = ", ".join(f"'{k}'" for k in keys[:NAMED_KEYS])
    return named if len(keys) <= NAMED_KEYS else f"{named} and {len(keys) - NAMED_KEYS} more"
