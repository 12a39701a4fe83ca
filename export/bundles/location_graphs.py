"""The three graphs that find a view inside tiles from coarse and fine maps, exported."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from export.bundles.graph_runs import run_graph
from export.bundles.onnx_graph import export_graph
from export.bundles.parity import output_parity
from export.networks.map_matching import HeatmapDecoder, PatchMatcher

LOCATION_GRAPHS = ("rerank.onnx", "decoder.onnx", "patches.onnx")


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


def export_location_graphs(
    work: Path, decoder: HeatmapDecoder, coarse: Tensor, fine: Tensor
) -> dict[str, float]:
    """Writes LOCATION_GRAPHS into `work`. coarse, fine: maps (N,..) of at least two pictures,
    the first of which is the view. Returns the largest absolute difference of each output
    from PyTorch's, as OutputParity.max_abs. Raises as export_graph."""
    specs: dict[str, tuple[nn.Module, dict[str, Tensor], list[str], list[str]]] = {
        "rerank.onnx": (
            _Rerank(decoder),
            {"view_coarse": coarse[:1], "tile_coarse": coarse},
            ["coarse_heatmap"],
            ["tile_coarse", "coarse_heatmap"],
        ),
        "decoder.onnx": (
            _Decode(decoder),
            {
                "view_coarse": coarse[:1],
                "view_fine": fine[:1],
                "tile_coarse": coarse,
                "tile_fine": fine,
            },
            ["heatmap"],
            ["tile_coarse", "tile_fine", "heatmap"],
        ),
        "patches.onnx": (
            PatchMatcher().eval(),
            {"view_fine": fine[:1], "crop_fine": fine[1:2]},
            ["scores", "reliability"],
            [],
        ),
    }
    errors: dict[str, float] = {}
    for name, (module, inputs, outputs, dynamic) in specs.items():
        expected = export_graph(work / name, module, inputs, outputs, dynamic)
        got = run_graph(work / name, inputs)
        for output in outputs:
            right, answer = (x[output].reshape(len(x[output]), -1) for x in (expected, got))
            errors[output] = output_parity(right, answer).max_abs
    return errors


@torch.no_grad()
def decoder_for(decoder: HeatmapDecoder, picture_px: int) -> HeatmapDecoder:
    """A decoder trained at any size, for pictures of `picture_px`: its tables are of the size."""
    sized = HeatmapDecoder(picture_px).eval()
    sized.load_state_dict(decoder.state_dict())
    return sized
