"""What an engine was built from and for. An engine is code: it is loaded only on the machine
that built it, and only when its hash is the one recorded there (`engine_record`)."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from onboard.errors import InputError
from onboard.inference.gpu import Gpu
from onboard.settings import settings_from_table

SUFFIX = ".engine"
BUILD_AGAIN = "build it here with 'pilotage export engine'"


@dataclass(frozen=True)
class EngineStamp:
    """graph: the bundle's file, such as model.onnx; source_sha256: its hash. batch: smallest,
    best and largest. precision: fp32, fp16 or int8. tensorrt: its version, in full."""

    graph: str
    source_sha256: str
    precision: str
    gpu: str
    compute_capability: str
    tensorrt: str
    batch: tuple[int, int, int]
    dla: bool
    engine_sha256: str

    @property
    def file_name(self) -> str:
        """model.<gpu>-<trt>-<precision>.engine"""
        return engine_file_name(
            self.graph, Gpu(self.gpu, self.compute_capability, ""), self.tensorrt, self.precision
        )

    def misfit(self, gpu: Gpu, tensorrt: str, source_sha256: str) -> str | None:
        """Why an engine of this stamp can't run here, as a clause; None when it can."""
        if (self.gpu, self.compute_capability) != (gpu.name, gpu.compute_capability):
            return (
                f"was built for {self.gpu} (compute capability {self.compute_capability}), this "
                f"machine has {gpu.name} ({gpu.compute_capability})"
            )
        if self.tensorrt != tensorrt:
            return f"was built by TensorRT {self.tensorrt}, this machine has {tensorrt}"
        if self.source_sha256 != source_sha256:
            return f"was built from another {self.graph} than the bundle's"
        return None


def engine_file_name(graph: str, gpu: Gpu, tensorrt: str, precision: str) -> str:
    """Of the engine of a bundle's graph; the stamp's is this with .json behind it."""
    return f"{Path(graph).stem}.{gpu.slug}-{tensorrt}-{precision}{SUFFIX}"


def stamp_path(engine: Path) -> Path:
    return engine.with_name(f"{engine.name}.json")


def stamp_text(stamp: EngineStamp) -> str:
    """The JSON that `read_stamp` reads."""
    return json.dumps(dataclasses.asdict(stamp), indent=2) + "\n"


def read_stamp(engine: Path) -> EngineStamp:
    """Raises InputError: no stamp beside the engine, not JSON, a wrong key."""
    path = stamp_path(engine)
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise InputError(
            f"{engine}: has no stamp ({path.name}: {e.strerror}); {BUILD_AGAIN}"
        ) from e
    except ValueError as e:
        raise InputError(f"{path}: not an engine's stamp ({e}); {BUILD_AGAIN}") from e
    if not isinstance(table, dict):
        raise InputError(f"{path}: not an engine's stamp; {BUILD_AGAIN}")
    return settings_from_table(table, EngineStamp, str(path))


def read_engine(engine: Path, stamp: EngineStamp) -> bytes:
    """The engine's bytes, which are those of its stamp.

    Raises InputError: unreadable, cut short, or exchanged.
    """
    try:
        data = engine.read_bytes()
    except OSError as e:
        raise InputError(f"{engine}: cannot be read ({e.strerror}); {BUILD_AGAIN}") from e
    if hashlib.sha256(data).hexdigest() != stamp.engine_sha256:
        raise InputError(
            f"{engine}: its sha256 is not the one in its stamp ({len(data)} bytes; cut short or "
            f"exchanged?); {BUILD_AGAIN}"
        )
    return data
