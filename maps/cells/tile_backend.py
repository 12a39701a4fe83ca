"""What describes a map's tiles. Settled before the first one: descriptors of two backends
differ, and one map's shall not."""

from __future__ import annotations

from dataclasses import dataclass

from onboard.inference import Backend, Network
from onboard.model_bundle import ModelBundle

SETTLED_BY_NAME = (
    Backend.ONNXRUNTIME_CPU,
    Backend.ONNXRUNTIME_CUDA,
    Backend.ONNXRUNTIME_TENSORRT,
)


@dataclass(frozen=True)
class TileBackend:
    """backend: never AUTO. precision: of its engines, '' where the graphs' own counts."""

    backend: Backend = Backend.ONNXRUNTIME_CPU
    precision: str = ""

    @property
    def name(self) -> str:
        """As 'onnxruntime-cpu' or 'tensorrt fp16'."""
        return f"{self.backend.value} {self.precision}".strip()


def settled_backend(bundle: ModelBundle, wanted: Backend) -> TileBackend:
    """What is wanted, as this machine can have it. One that its name settles is not looked for
    here: the workers of a cluster may have it, and this machine not.

    Raises InputError as `Network` does."""
    if wanted in SETTLED_BY_NAME:
        return TileBackend(wanted)
    network = Network(bundle, threads=1, backend=wanted)
    try:
        return TileBackend(network.backend, network.precision)
    finally:
        network.close()
