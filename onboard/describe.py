"""Pictures into descriptions. What describes a query in flight also describes the tiles at
map time, so the two can't drift apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onboard.inference import Array, Backend, Network
from onboard.messages import Description
from onboard.model_bundle import ModelBundle


class Describer:
    """The network's encoder behind a plain call. threads: of the CPU, None takes all cores."""

    def __init__(
        self, bundle: ModelBundle, threads: int | None = None, backend: Backend = Backend.AUTO
    ) -> None:
        self.bundle = bundle
        self.network = Network(bundle, threads, backend)

    def descriptors(self, pictures: NDArray[np.uint8]) -> Array:
        """(N,256,256,3) uint8 BGR -> (N,D) float32, unit length."""
        return self.network.descriptors(pictures)

    def describe(self, pictures: NDArray[np.uint8]) -> list[Description]:
        """(N,256,256,3) uint8 BGR -> N descriptions."""
        return [
            Description(d, c, f) for d, c, f in zip(*self.network.encode(pictures), strict=True)
        ]
