"""Checkpoint -> model bundle: four ONNX graphs and `model.json`, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from export.networks.unifygeo_edge import (
    COARSE_CHANNELS,
    COARSE_STRIDE,
    DESCRIPTOR_DIM,
    FINE_CHANNELS,
    FINE_STRIDE,
    SHORT_DESCRIPTOR_DIM,
    HeatmapDecoder,
    PatchMatcher,
    UnifyGeoEdge,
)

OPSET = 17  # the newest that TensorRT 8.6 (JetPack 6.0) parses
INPUT_PX = 256
MAX_PARITY_ERROR = 1e-3  # of unit-length features and of logits in units of 10


class _Rerank(nn.Module):
    """The decoder's coarse level: one view over several tiles."""

    def __init__(self, decoder: HeatmapDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, view_coarse: Tensor, tile_coarse: Tensor) -> Tensor:
        logits: Tensor = self.decoder.coarse(view_coarse, tile_coarse)[0]
        return logits


class _Decode(nn.Module):
    """The whole decoder: the fused heatmap of one view over several tiles."""

    def __init__(self, decoder: HeatmapDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, vc: Tensor, vf: Tensor, tc: Tensor, tf: Tensor) -> Tensor:
        fused: Tensor = self.decoder(vc, vf, tc, tf)[0]
        return fused


def write_bundle(
    out: Path, model_id: str, network: UnifyGeoEdge, decoder: HeatmapDecoder, facts: dict[str, Any]
) -> dict[str, float]:
    """Exports, compares ONNX Runtime with PyTorch, and puts the bundle in place.

    facts (training sets, starting weights, licence, ...) go into model.json. Returns the
    parity figures, largest absolute differences; raises ValueError when one is too large,
    in which case `out` is left as it was.
    """
    network, decoder = network.eval(), decoder.eval()
    flight_decoder = HeatmapDecoder(INPUT_PX).eval()
    flight_decoder.load_state_dict(decoder.state_dict())
    c, f = INPUT_PX // COARSE_STRIDE, INPUT_PX // FINE_STRIDE
    pictures = _probe_pictures()
    with torch.no_grad():
        _, coarse, fine = network(pictures)
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        batch = {0: "batch"}
        graphs: dict[
            str, tuple[nn.Module, tuple[Tensor, ...], list[str], list[str], dict[str, Any]]
        ] = {
            "model.onnx": (
                network,
                (pictures,),
                ["pictures"],
                ["descriptor", "coarse", "fine"],
                {n: batch for n in ("pictures", "descriptor", "coarse", "fine")},
            ),
            "rerank.onnx": (
                _Rerank(flight_decoder),
                (coarse[:1], coarse),
                ["view_coarse", "tile_coarse"],
                ["coarse_heatmap"],
                {n: batch for n in ("tile_coarse", "coarse_heatmap")},
            ),
            "decoder.onnx": (
                _Decode(flight_decoder),
                (coarse[:1], fine[:1], coarse, fine),
                ["view_coarse", "view_fine", "tile_coarse", "tile_fine"],
                ["heatmap"],
                {n: batch for n in ("tile_coarse", "tile_fine", "heatmap")},
            ),
            "patches.onnx": (
                PatchMatcher(),
                (fine[:1], fine[1:2]),
                ["view_fine", "crop_fine"],
                ["scores", "reliability"],
                {},
            ),
        }
        parity: dict[str, float] = {}
        for name, (module, inputs, input_names, output_names, axes) in graphs.items():
            path = work / name
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                torch.onnx.export(
                    module, inputs, str(path), input_names=input_names, output_names=output_names,
                    dynamic_axes=axes, opset_version=OPSET, dynamo=False,
                )  # fmt: skip
            parity |= _parity(path, module, inputs, input_names, output_names)
        for name, error in parity.items():
            if not error <= MAX_PARITY_ERROR:  # NaN is no parity either
                raise ValueError(f"output '{name}' differs from PyTorch by {error:.2g}")
        info = {
            "id": model_id,
            "input_px": INPUT_PX,
            "input": "uint8 NHWC BGR, black where there is no ground; normalized in the graph",
            "descriptor_dim": DESCRIPTOR_DIM,
            "short_descriptor_dim": SHORT_DESCRIPTOR_DIM,
            "outputs": {
                "descriptor": ["N", DESCRIPTOR_DIM],
                "coarse": ["N", COARSE_CHANNELS, c, c],
                "fine": ["N", FINE_CHANNELS, f, f],
            },
            "parameters": sum(p.numel() for m in (network, decoder) for p in m.parameters()),
            "opset": OPSET,
            "parity_max_abs": {k: float(f"{v:.3g}") for k, v in parity.items()},
            "files": {n: hashlib.sha256((work / n).read_bytes()).hexdigest() for n in graphs},
            **facts,
        }
        (work / "model.json").write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")
        work.chmod(0o755)
        _replace_folder(work, out)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return parity


def _probe_pictures() -> Tensor:
    """Blurred noise with a black corner, like a view; and plain black, white and noise."""
    rng = np.random.default_rng(0)
    noise = rng.integers(1, 256, (INPUT_PX, INPUT_PX, 3), dtype=np.uint8)
    smooth = np.kron(rng.integers(1, 256, (32, 32, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    view = smooth.copy()
    view[:80, :120] = 0
    white = np.full_like(noise, 255)
    return torch.from_numpy(np.stack([view, smooth, noise, white, np.zeros_like(noise)]))


def _parity(
    path: Path, module: nn.Module, inputs: tuple[Tensor, ...], names: list[str], outputs: list[str]
) -> dict[str, float]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        expected = module(*inputs)
    expected = expected if isinstance(expected, tuple) else (expected,)
    feed = {n: x.detach().numpy() for n, x in zip(names, inputs, strict=True)}
    got = session.run(outputs, feed)
    return {
        name: float(np.abs(g - e.numpy()).max() / max(1.0, float(e.abs().max()) / 10))
        for name, g, e in zip(outputs, got, expected, strict=True)
    }


def _replace_folder(new: Path, old: Path) -> None:
    if old.exists():
        aside = old.with_name(f".{old.name}-old-{os.getpid()}")
        old.rename(aside)
        new.rename(old)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        new.rename(old)
