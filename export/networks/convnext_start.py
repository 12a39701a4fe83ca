"""Starting UnifyGeo's towers from a published ConvNeXt, in either of timm's spellings."""

from __future__ import annotations

import re
from pathlib import Path

from torch import Tensor, nn

from export.checkpoints import read_state_dict
from export.networks.unifygeo import UnifyGeo
from onboard.errors import InputError


def start_from_convnext(network: UnifyGeo, path: Path) -> None:
    """Stem and the shared stages into both encoders; the last stage's downsampling and first
    block into all four heads. Everything else keeps its random weights.

    Raises InputError, with the network as it was: no weights, or a ConvNeXt of another shape.
    """
    state = {
        re.sub(r"^(stem|stages)\.(\d)", r"\1_\2", k): v for k, v in read_state_dict(path).items()
    }
    last = f"stages_{len(network.sat_encoder.model.shape.dims)}."
    parts: list[tuple[nn.Module, dict[str, Tensor]]] = []
    for tower in ("grd", "sat"):
        encoder = getattr(network, f"{tower}_encoder").model
        parts.append((encoder, {k: v for k, v in state.items() if k in encoder.state_dict()}))
        for head in ("global", "local"):
            model = getattr(network, f"{tower}_{head}_feats_decoder").model
            own = {
                re.sub(r"^blocks\.0\.", "conv.", k.removeprefix(last)): v
                for k, v in state.items()
                if k.startswith((last + "downsample.", last + "blocks.0."))
            }
            parts.append((model, own))
    for module, own in parts:
        wanted = module.state_dict()
        wrong = [k for k, v in wanted.items() if k not in own or own[k].shape != v.shape]
        if wrong:
            raise InputError(
                f"{path}: no ConvNeXt of this network's shape: '{wrong[0]}' and {len(wrong) - 1} "
                "more are missing or of another size; give ConvNeXt-Tiny's weights"
            )
    for module, own in parts:
        module.load_state_dict(own)
