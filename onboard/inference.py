"""Runs a model bundle's graphs with ONNX Runtime: encodings, heatmaps, patch scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from onboard.errors import InputError
from onboard.messages import Description, Picture
from onboard.model_bundle import ModelBundle

Array = NDArray[np.float32]
LOG_FATAL_ONLY = 4  # ONNX Runtime's own warnings are no sentences for a pilot


class Network:
    """The graphs of one bundle. threads: None takes all cores.

    Raises InputError when a graph can't be loaded.
    """

    def __init__(self, bundle: ModelBundle, threads: int | None = None) -> None:
        self.bundle = bundle
        self._encoder = _session(bundle.path / "model.onnx", threads)
        self._rerank = _session(bundle.path / "rerank.onnx", threads)
        self._decoder = _session(bundle.path / "decoder.onnx", threads)
        self._patches = _session(bundle.path / "patches.onnx", threads)

    def encode(self, pictures: NDArray[np.uint8]) -> tuple[Array, Array, Array]:
        """(N,256,256,3) uint8 BGR -> descriptors (N,D), coarse (N,C,32,32), fine (N,F,64,64)."""
        descriptors, coarse, fine = self._encoder.run(
            ["descriptor", "coarse", "fine"], {"pictures": pictures}
        )
        return descriptors, coarse, fine

    def descriptors(self, pictures: NDArray[np.uint8]) -> Array:
        """The same, descriptors only."""
        (descriptors,) = self._encoder.run(["descriptor"], {"pictures": pictures})
        return np.asarray(descriptors)

    def coarse_heatmaps(self, view: Description, tiles: list[Description]) -> Array:
        """The heatmaps' coarse level alone, (N,33,33): cell (i, j) is tile pixel (8 j, 8 i).
        Cheap enough for many tiles; the largest value of a tile is its re-ranking score."""
        (heatmaps,) = self._rerank.run(
            ["coarse_heatmap"],
            {
                "view_coarse": view.coarse[None],
                "tile_coarse": np.stack([t.coarse for t in tiles]),
            },
        )
        return np.asarray(heatmaps)

    def heatmaps(self, view: Description, tiles: list[Description]) -> Array:
        """Logits (N,65,65): cell (i, j) says that the view's centre lies at tile pixel
        (4 j, 4 i). They compare across tiles."""
        (heatmaps,) = self._decoder.run(
            ["heatmap"],
            {
                "view_coarse": view.coarse[None],
                "view_fine": view.fine[None],
                "tile_coarse": np.stack([t.coarse for t in tiles]),
                "tile_fine": np.stack([t.fine for t in tiles]),
            },
        )
        return np.asarray(heatmaps)

    def patch_scores(self, view: Description, crop: Description) -> tuple[Array, Array]:
        """(8,8,9,9) mean cosine of each 32-px patch at shifts of -16..16 px in steps of 4
        (row, column), and the patches' mean reliability (8,8)."""
        scores, reliability = self._patches.run(
            ["scores", "reliability"], {"view_fine": view.fine[None], "crop_fine": crop.fine[None]}
        )
        return scores[0], reliability[0]


def _session(path: Path, threads: int | None) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = LOG_FATAL_ONLY
    # Four sessions' threads that spin while they wait take the cores from one another: a frame
    # took 1.75 times as long on two cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as e:  # ONNX Runtime raises classes of its own without a common parent
        raise InputError(f"{path}: ONNX Runtime can't load it ({e}); get the bundle again") from e


def as_batch(pictures: list[Picture]) -> NDArray[np.uint8]:
    """Stacks pictures of one size into (N,H,W,3)."""
    return np.ascontiguousarray(np.stack(pictures))
