"""What a backend is: one graph of a model bundle, named arrays in, named arrays out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from numpy.typing import NDArray

Tensor = NDArray[Any]


class Backend(str, Enum):
    """What runs the graphs. AUTO takes the fastest that this machine and the bundle allow."""

    AUTO = "auto"
    ONNXRUNTIME_CPU = "onnxruntime-cpu"
    ONNXRUNTIME_CUDA = "onnxruntime-cuda"
    ONNXRUNTIME_TENSORRT = "onnxruntime-tensorrt"
    TENSORRT = "tensorrt"


@dataclass(frozen=True)
class InferenceSettings:
    """The table [inference] of a settings file."""

    backend: Backend = Backend.AUTO


class Graph(Protocol):
    """A loaded graph. Any thread may call it; calls wait for one another."""

    @property
    def input_names(self) -> tuple[str, ...]: ...

    @property
    def output_names(self) -> tuple[str, ...]: ...

    def run(self, outputs: Sequence[str], inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """The named outputs, in the order asked for. Raises BackendError: the device failed;
        ValueError: a name, type or shape that the graph does not take."""
        ...

    def close(self) -> None:
        """Gives memory back. The graph can't be run afterwards; closing twice is good."""
        ...
