"""A model bundle: ONNX graphs and `model.json`, hashed before anything parses them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from onboard.errors import InputError

DEFAULT_BUNDLE = Path(__file__).parent / "models" / "unifygeo-edge"


@dataclass(frozen=True)
class ModelBundle:
    """id and sha256 (of model.onnx) name the network; a map pack names them too.

    descriptor_dim: length of the descriptor. train_ground_size_m: smallest and largest
    m/px that the network was trained at.
    """

    path: Path
    id: str
    sha256: str
    input_px: int
    descriptor_dim: int
    train_ground_size_m: tuple[float, float]


def load_bundle(path: Path = DEFAULT_BUNDLE) -> ModelBundle:
    """Reads model.json and checks the hash of every file it names.

    Raises InputError: a file missing, not JSON, a key missing, a hash that differs.
    """
    info_path = path / "model.json"
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
        return ModelBundle(
            path=path,
            id=info["id"],
            sha256=info["files"]["model.onnx"],
            input_px=int(info["input_px"]),
            descriptor_dim=int(info["descriptor_dim"]),
            train_ground_size_m=(
                float(info["train_ground_size_m"][0]),
                float(info["train_ground_size_m"][1]),
            ),
        )
    except OSError as e:
        raise InputError(f"{e.filename}: cannot be read ({e.strerror}); give a model bundle") from e
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise InputError(f"{info_path}: not a model description ({e}); get the bundle again") from e
