"""A model bundle: ONNX graphs and `model.json`, hashed before anything parses them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from onboard.errors import InputError, nearest_known

MODELS = Path(__file__).parent / "models"
DEFAULT_BUNDLE = MODELS / "unifygeo-edge"
INFO_NAME = "model.json"


class Kind(str, Enum):
    """What a bundle is for. FLIGHT has all four graphs; RETRIEVAL gives descriptors only;
    CROSS_VIEW compares ground panoramas with overhead pictures."""

    FLIGHT = "flight"
    RETRIEVAL = "retrieval"
    CROSS_VIEW = "cross-view"


@dataclass(frozen=True)
class SelfTest:
    """Limits of the answers to the stored picture. coarse_step, fine_step: cells; every so many
    of the maps are stored, each way."""

    file: str
    atol: float
    min_cosine: float
    coarse_step: int
    fine_step: int


@dataclass(frozen=True)
class ModelBundle:
    """id and sha256 (of model.onnx) name the network; a map pack names them too.

    descriptor_dim: length of the descriptor. train_ground_size_m: smallest and largest
    m/px that the network was trained at. files: their hashes. self_test: None in bundles that
    were written without.
    """

    path: Path
    id: str
    sha256: str
    input_px: int
    descriptor_dim: int
    train_ground_size_m: tuple[float, float]
    kind: Kind = Kind.FLIGHT
    files: Mapping[str, str] = field(default_factory=dict)
    self_test: SelfTest | None = None

    @property
    def graphs(self) -> tuple[str, ...]:
        """File names of the graphs."""
        return tuple(name for name in self.files if name.endswith(".onnx"))


def load_bundle(path: Path = DEFAULT_BUNDLE, for_flight: bool = True) -> ModelBundle:
    """Reads model.json and checks the hash of every file it names. Other files of the folder
    (engines) are looked at by whoever loads them.

    for_flight: maps are made and flown with it; False also takes bundles that can only be
    measured, those of random weights among them.

    Raises InputError: a file missing, not JSON, a key missing, a hash that differs, not for
    flight.
    """
    info_path = path / INFO_NAME
    try:
        info = json.loads(info_path.read_text(encoding="utf-8"))
        for name, expected in info["files"].items():
            if Path(name).name != name:
                raise ValueError(f"'{name}' is no file of the bundle")
            actual = hashlib.sha256((path / name).read_bytes()).hexdigest()
            if actual != expected:
                raise InputError(
                    f"{path / name}: its sha256 is not the one in model.json; "
                    "the file is damaged or was exchanged, get the bundle again"
                )
        bundle = ModelBundle(
            path=path,
            id=info["id"],
            sha256=info["files"]["model.onnx"],
            input_px=int(info["input_px"]),
            descriptor_dim=int(info["descriptor_dim"]),
            train_ground_size_m=(
                float(info["train_ground_size_m"][0]),
                float(info["train_ground_size_m"][1]),
            ),
            kind=Kind(info.get("kind", Kind.FLIGHT.value)),
            files=dict(info["files"]),
            self_test=_self_test(info),
        )
        _check_sizes(bundle)
    except OSError as e:
        raise InputError(f"{e.filename}: cannot be read ({e.strerror}); give a model bundle") from e
    except KeyError as e:
        raise InputError(
            f"{info_path}: not a model description (no key {e}); get the bundle again"
        ) from e
    except (ValueError, LookupError, TypeError, AttributeError) as e:
        raise InputError(f"{info_path}: not a model description ({e}); get the bundle again") from e
    if for_flight:
        _refuse_unfit(bundle, random_weights=info.get("weights") == "random")
    return bundle


def _check_sizes(bundle: ModelBundle) -> None:
    for key in ("input_px", "descriptor_dim"):
        if getattr(bundle, key) < 1:
            raise ValueError(f"{key} must be at least 1")
    smallest, largest = bundle.train_ground_size_m
    if not 0 < smallest <= largest < float("inf"):
        raise ValueError(
            f"train_ground_size_m is {smallest:g} to {largest:g}, not smallest and largest m/px"
        )


def bundle_path(model: str) -> Path:
    """What a command line says: the name of a shipped bundle, or else a folder; `./name` is
    always a folder.

    Raises InputError: neither, with the nearest shipped name.
    """
    shipped = shipped_bundles()
    if model in shipped:
        return shipped[model]
    path = Path(model)
    if os.sep in model or path.is_dir():
        return path
    raise InputError(
        f"{model}: no shipped model and no folder of this name; {nearest_known(model, shipped)}"
    )


def shipped_bundles() -> dict[str, Path]:
    """Name -> folder, of those that come with Pilotage."""
    return {p.parent.name: p.parent for p in sorted(MODELS.glob(f"*/{INFO_NAME}"))}


def shipped_bundle_of(sha256: str) -> Path | None:
    """The shipped bundle whose model.onnx has this hash by its model.json; None: none has."""
    for path in shipped_bundles().values():
        try:
            if json.loads((path / INFO_NAME).read_text())["files"]["model.onnx"] == sha256:
                return path
        except (OSError, ValueError, KeyError, TypeError):
            continue  # whoever loads a damaged bundle says so
    return None


def _self_test(info: Mapping[str, Any]) -> SelfTest | None:
    entry = info.get("selftest")
    if entry is None:
        return None
    if entry["file"] not in info["files"]:
        raise ValueError(f"selftest names {entry['file']}, which is not among the files")
    return SelfTest(
        file=entry["file"],
        atol=float(entry["atol"]),
        min_cosine=float(entry["min_cosine"]),
        coarse_step=int(entry["coarse_step"]),
        fine_step=int(entry["fine_step"]),
    )


def _refuse_unfit(bundle: ModelBundle, random_weights: bool) -> None:
    if bundle.kind is Kind.RETRIEVAL:
        raise InputError(
            f"{bundle.path}: gives descriptors only and can't locate; export it with a locator "
            "(without --no-locator) to fly it, or measure it with 'pilotage benchmark'"
        )
    if bundle.kind is Kind.CROSS_VIEW:
        raise InputError(
            f"{bundle.path}: compares panoramas from the ground with overhead pictures and can't "
            "fly; take a flight bundle"
        )
    if random_weights:
        raise InputError(
            f"{bundle.path}: its weights are random, it was exported to try the export out; "
            "train it first, or take another bundle"
        )
