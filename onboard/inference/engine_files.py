"""Which engines of a bundle may be loaded on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from onboard.errors import InputError
from onboard.inference.engine_record import EngineRecord, record_path
from onboard.inference.engine_stamp import BUILD_AGAIN, SUFFIX, EngineStamp, read_stamp
from onboard.inference.gpu import Gpu
from onboard.model_bundle import ModelBundle


@dataclass(frozen=True)
class EngineFile:
    """An engine that was built here for this bundle; its bytes are still to be hashed."""

    path: Path
    stamp: EngineStamp
    built_utc: str


def has_engines(bundle: ModelBundle) -> bool:
    return any(bundle.path.glob(f"*{SUFFIX}"))


def fitting_engines(
    bundle: ModelBundle, gpu: Gpu, tensorrt: str, record: EngineRecord
) -> dict[str, EngineFile]:
    """One engine for every graph of the bundle, all of one precision: of the complete sets the
    one that was built last.

    Raises InputError when there is none, with why the nearest one was refused.
    """
    by_precision: dict[str, dict[str, EngineFile]] = {}
    refused = ""
    for path in sorted(bundle.path.glob(f"*{SUFFIX}")):
        found = _check(path, bundle, gpu, tensorrt, record)
        if isinstance(found, str):
            refused = refused or found
            continue
        by_precision.setdefault(found.stamp.precision, {})[found.stamp.graph] = found
    complete = [files for files in by_precision.values() if set(files) >= set(bundle.graphs)]
    if complete:
        return max(complete, key=lambda files: max(f.built_utc for f in files.values()))
    if refused:
        raise InputError(refused)
    if by_precision:
        precision, files = next(iter(by_precision.items()))
        missing = ", ".join(sorted(set(bundle.graphs) - set(files)))
        raise InputError(f"{bundle.path}: has no {precision} engine of {missing}; {BUILD_AGAIN}")
    raise InputError(f"{bundle.path}: has no engine; {BUILD_AGAIN}")


def _check(
    path: Path, bundle: ModelBundle, gpu: Gpu, tensorrt: str, record: EngineRecord
) -> EngineFile | str:
    """The engine, or the sentence that refuses it."""
    try:
        stamp = read_stamp(path)
    except InputError as e:
        return str(e)
    if stamp.graph not in bundle.graphs:
        return f"{path}: is of {stamp.graph}, which the bundle does not hold; {BUILD_AGAIN}"
    if clause := stamp.misfit(gpu, tensorrt, bundle.files[stamp.graph]):
        return f"{path}: {clause}; {BUILD_AGAIN}"
    built = record.find(stamp.engine_sha256)
    if built is None or built.stamp != stamp:
        return (
            f"{path}: was not built on this machine (its hash is not in {record_path()}), and "
            f"an engine is code; {BUILD_AGAIN}"
        )
    return EngineFile(path, stamp, built.built_utc)
