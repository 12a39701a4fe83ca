"""A model bundle's network on any backend: encodings, heatmaps, patch scores."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from onboard.errors import BackendError
from onboard.inference.choose import open_graphs
from onboard.inference.contract import Backend, Tensor
from onboard.messages import Description, Picture
from onboard.model_bundle import ModelBundle

Array = NDArray[np.float32]

log = logging.getLogger(__name__)


class Network:
    """The graphs of one bundle.

    threads: of the CPU, None takes all cores. With AUTO, a GPU that fails in flight is given
    up for the CPU; a backend that was asked for raises BackendError instead.

    Raises InputError when a graph can't be loaded, or the backend can't be had.
    """

    def __init__(
        self, bundle: ModelBundle, threads: int | None = None, backend: Backend = Backend.AUTO
    ) -> None:
        self.bundle = bundle
        self._threads = threads
        self._forced = backend is not Backend.AUTO
        self._opened = open_graphs(bundle, backend, threads)
        self._giving_up = threading.Lock()

    @property
    def backend(self) -> Backend:
        """What it runs on now."""
        return self._opened.backend

    @property
    def runs_on(self) -> str:
        """The same in words, with device and versions."""
        return self._opened.said

    @property
    def precision(self) -> str:
        """What engines compute in (fp32, fp16 or int8), '' where the graphs' own counts."""
        return self._opened.precision

    def encode(self, pictures: NDArray[np.uint8]) -> tuple[Array, Array, Array]:
        """(N,256,256,3) uint8 BGR -> descriptors (N,D), coarse (N,C,32,32), fine (N,F,64,64)."""
        descriptors, coarse, fine = self._run(
            "model.onnx", ["descriptor", "coarse", "fine"], {"pictures": pictures}
        )
        return descriptors, coarse, fine

    def descriptors(self, pictures: NDArray[np.uint8]) -> Array:
        """The same, descriptors only."""
        (descriptors,) = self._run("model.onnx", ["descriptor"], {"pictures": pictures})
        return descriptors

    def coarse_heatmaps(self, view: Description, tiles: list[Description]) -> Array:
        """The heatmaps' coarse level alone, (N,33,33): cell (i, j) is tile pixel (8 j, 8 i).
        Cheap enough for many tiles; the largest value of a tile is its re-ranking score."""
        (heatmaps,) = self._run(
            "rerank.onnx",
            ["coarse_heatmap"],
            {
                "view_coarse": view.coarse[None],
                "tile_coarse": np.stack([t.coarse for t in tiles]),
            },
        )
        return heatmaps

    def heatmaps(self, view: Description, tiles: list[Description]) -> Array:
        """Logits (N,65,65): cell (i, j) says that the view's centre lies at tile pixel
        (4 j, 4 i). They compare across tiles."""
        (heatmaps,) = self._run(
            "decoder.onnx",
            ["heatmap"],
            {
                "view_coarse": view.coarse[None],
                "view_fine": view.fine[None],
                "tile_coarse": np.stack([t.coarse for t in tiles]),
                "tile_fine": np.stack([t.fine for t in tiles]),
            },
        )
        return heatmaps

    def patch_scores(self, view: Description, crop: Description) -> tuple[Array, Array]:
        """(8,8,9,9) mean cosine of each 32-px patch at shifts of -16..16 px in steps of 4
        (row, column), and the patches' mean reliability (8,8)."""
        scores, reliability = self._run(
            "patches.onnx",
            ["scores", "reliability"],
            {"view_fine": view.fine[None], "crop_fine": crop.fine[None]},
        )
        return scores[0], reliability[0]

    def close(self) -> None:
        """Gives the graphs' memory back."""
        for graph in self._opened.graphs.values():
            graph.close()

    def _run(self, name: str, outputs: Sequence[str], inputs: Mapping[str, Tensor]) -> list[Tensor]:
        opened = self._opened
        try:
            return opened.graphs[name].run(outputs, inputs)
        except BackendError as e:
            if self._forced or opened.backend is Backend.ONNXRUNTIME_CPU:
                raise
            with self._giving_up:  # of several threads that failed, the first one changes over
                if self._opened is opened:
                    log.warning("%s failed (%s); going on with the CPU", opened.said, e)
                    self._opened = open_graphs(self.bundle, Backend.ONNXRUNTIME_CPU, self._threads)
        return self._opened.graphs[name].run(outputs, inputs)


def as_batch(pictures: list[Picture]) -> NDArray[np.uint8]:
    """Stacks pictures of one size into (N,H,W,3)."""
    return np.ascontiguousarray(np.stack(pictures))
