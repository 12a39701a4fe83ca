"""Which published network a state dict belongs to, told by its keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

DINOV2_NAMES = {384: "ViT-S/14", 768: "ViT-B/14", 1024: "ViT-L/14", 1536: "ViT-g/14"}


@dataclass(frozen=True)
class Layout:
    """name: for people; keys: all of them are in every file of this layout."""

    name: str
    keys: tuple[str, ...]


# the more particular first: the first that fits is the answer (facts sheet, section 1)
LAYOUTS = (
    Layout("dino_salad.ckpt (GenGeo)", ("backbone.model.pos_embed", "aggregator.dust_bin")),
    Layout(
        "CV-Cities (GeoLink's 2-D encoder)",
        ("model.backbone.dino_model.pos_embed", "model.aggregator.channel_proj.weight"),
    ),
    Layout(
        "MixVPR over a ResNet", ("aggregator.channel_proj.weight", "aggregator.row_proj.weight")
    ),
    Layout("UnifyGeo (VIGOR)", ("grd_encoder.model.stem_0.weight", "logit_scale_rerank")),
    Layout("Sample4Geo", ("model.stem.0.weight", "model.head.norm.weight")),
    Layout("a ConvNeXt of timm", ("stem.0.weight", "head.norm.weight")),
    Layout("CCVPE", ("grd_efficientnet._conv_stem.weight",)),
    Layout("DINOv2", ("pos_embed", "mask_token", "blocks.0.ls1.gamma")),
    Layout("DINOv2 in Hugging Face's spelling", ("embeddings.patch_embeddings.projection.weight",)),
    Layout("a vision transformer of timm", ("pos_embed", "blocks.0.attn.qkv.weight")),
    Layout("unifygeo-edge", ("network.encoder.block1_0.weight",)),
    Layout("XFeat, batch norm folded", ("c.block1_0.weight",)),
)


def known_layout(state: Mapping[str, Tensor]) -> str | None:
    """The name of the layout, with DINOv2's size, or None."""
    for layout in LAYOUTS:
        if all(key in state for key in layout.keys):
            return layout.name + _dinov2_size(state) if layout.name == "DINOv2" else layout.name
    return None


def _dinov2_size(state: Mapping[str, Tensor]) -> str:
    size = DINOV2_NAMES.get(int(state["pos_embed"].shape[-1]), "")
    registers = " with registers" if "register_tokens" in state else ""
    return f" {size}{registers}"
