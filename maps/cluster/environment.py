"""What a machine computes with: two machines of the same environment make the same bytes."""

from __future__ import annotations

import hashlib
import importlib
import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_LAYERS = ("onboard", "maps")  # whose code a worker runs
# Their versions decide a picture's or a descriptor's last bits, or the protocol.
_PACKAGES = ("dask", "distributed", "numpy", "cv2", "onnxruntime", "rasterio")


@dataclass(frozen=True)
class Environment:
    """code: sha256 over Pilotage's own sources of the layers that a build needs. versions:
    (name, version) of Python and the packages. processor: as the system calls it."""

    code: str
    versions: tuple[tuple[str, str], ...]
    processor: str


@cache
def environment() -> Environment:
    """Of this process."""
    versions = [("Python", ".".join(platform.python_version_tuple()[:2]))]
    for name in _PACKAGES:
        module = importlib.import_module(name)
        versions.append((name, str(module.__version__)))
        if name == "rasterio":
            versions.append(("GDAL", str(module.__gdal_version__)))
    return Environment(_code_sha256(), tuple(versions), _processor())


def difference(theirs: Environment, ours: Environment) -> str | None:
    """Why the two may not work on one pack, for a sentence; None when they may."""
    if theirs.code != ours.code:
        return f"runs another Pilotage (sources {theirs.code[:12]}, here {ours.code[:12]})"
    for (name, their_version), (_, our_version) in zip(theirs.versions, ours.versions, strict=True):
        if their_version != our_version:
            return f"has {name} {their_version}, here is {our_version}"
    return None


def _code_sha256() -> str:
    digest = hashlib.sha256()
    for layer in _LAYERS:
        for path in sorted((_ROOT / layer).rglob("*.py")):
            digest.update(str(path.relative_to(_ROOT)).encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
