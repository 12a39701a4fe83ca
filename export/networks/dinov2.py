"""DINOv2's vision transformers S/14 and B/14, plain and with registers (Oquab et al. 2024).

Keys, shapes and numbers are those of the released checkpoints (facts sheet 1.1). The input size
is fixed when the network is made, and the position table resampled to it once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from export.checkpoints import load_weights
from export.networks.position_table import resampled_position_table

PATCH_PX = 14
DEPTH = 12
RELEASED_GRID = 37  # cells a side: pictures of 518 px
HEAD_CHANNELS = 64
NORM_EPS = 1e-6
INIT_DEVIATION = 0.02
SIZES: dict[str, int] = {"small": 384, "base": 768}  # channels
Size = Literal["small", "base"]


class DinoV2(nn.Module):
    """Token and patch map of a picture.

    input_px: side of the square pictures, or (height, width); multiples of 14. registers: 0 or
    the released 4. trainable_blocks: so many last blocks and the norm are trained; with all of
    them the patch embedding and the tokens are, too, with 0 nothing. The position table never is.
    checkpointing: recompute the trained blocks in the backward pass, to save memory.
    final_norm=False leaves the norm out, keys and all (CV-Cities). depth: fewer blocks than the
    released 12, for networks trained from nothing.
    Raises ValueError: a size that is no multiple of 14, more trainable blocks than there are.
    """

    position_table: Tensor

    def __init__(
        self,
        size: Size,
        input_px: int | tuple[int, int],
        registers: int = 0,
        trainable_blocks: int = DEPTH,
        checkpointing: bool = False,
        final_norm: bool = True,
        depth: int = DEPTH,
    ) -> None:
        super().__init__()
        self.input_px = (input_px, input_px) if isinstance(input_px, int) else input_px
        if any(px < PATCH_PX or px % PATCH_PX for px in self.input_px):
            raise ValueError(
                f"DINOv2 takes pictures in multiples of {PATCH_PX} px, not {input_px}; "
                f"the nearest is {max(1, round(max(self.input_px) / PATCH_PX)) * PATCH_PX}"
            )
        self.grid = (self.input_px[0] // PATCH_PX, self.input_px[1] // PATCH_PX)
        self.channels = SIZES[size]
        self.checkpointing = checkpointing
        c = self.channels
        self.cls_token = nn.Parameter(torch.zeros(1, 1, c))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + RELEASED_GRID**2, c))
        self.mask_token = nn.Parameter(torch.zeros(1, c))  # of pre-training; kept for its key
        self.register_tokens = nn.Parameter(torch.zeros(1, registers, c)) if registers else None
        self.patch_embed = PatchEmbed(c)
        self.blocks = nn.ModuleList(Block(c) for _ in range(depth))
        self.norm = nn.LayerNorm(c, eps=NORM_EPS) if final_norm else None
        self._initialise()
        self.first_trainable = depth - trainable_blocks
        self._freeze()
        self.register_buffer("position_table", torch.empty(0), persistent=False)
        self._resample()
        self.register_load_state_dict_post_hook(_resample_after_loading)  # type: ignore[no-untyped-call]

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """ImageNet-normalised RGB (N,3,H,W) -> class token (N,D), patch map (N,D,H/14,W/14).

        Raises ValueError: pictures of another size.
        """
        size = (int(pictures.shape[2]), int(pictures.shape[3]))
        if size != self.input_px:
            raise ValueError(f"this network is made for {self.input_px} px pictures, not {size}")
        x = self.patch_embed(pictures)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1) + self.position_table
        first_patch = 1
        if self.register_tokens is not None:
            registers = self.register_tokens.expand(x.shape[0], -1, -1)
            first_patch += int(self.register_tokens.shape[1])
            x = torch.cat([x[:, :1], registers, x[:, 1:]], dim=1)
        for i, block in enumerate(self.blocks):
            recompute = self.checkpointing and self.training and i >= self.first_trainable
            x = checkpoint(block, x, use_reentrant=False) if recompute else block(x)
        if self.norm is not None:
            x = self.norm(x)
        patches = x[:, first_patch:].transpose(1, 2)
        return x[:, 0], patches.reshape(-1, self.channels, *self.grid)

    def _initialise(self) -> None:
        """As upstream before its training; LayerScale starts at 1, its released setting."""
        nn.init.trunc_normal_(self.pos_embed, std=INIT_DEVIATION)
        nn.init.normal_(self.cls_token, std=1e-6)
        if self.register_tokens is not None:
            nn.init.normal_(self.register_tokens, std=1e-6)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=INIT_DEVIATION)
                nn.init.zeros_(module.bias)

    def _freeze(self) -> None:
        if not 0 <= self.first_trainable <= len(self.blocks):
            wanted = len(self.blocks) - self.first_trainable
            raise ValueError(f"{wanted} blocks cannot be trained of {len(self.blocks)}")
        trained_wholly = self.first_trainable == 0
        self.requires_grad_(trained_wholly)
        self.pos_embed.requires_grad_(False)
        self.mask_token.requires_grad_(False)  # takes no part, DistributedDataParallel minds
        last = self.blocks[self.first_trainable :]
        last.requires_grad_(True)
        if self.norm is not None:
            self.norm.requires_grad_(len(last) > 0)

    def _resample(self) -> None:
        table = resampled_position_table(
            self.pos_embed, *self.grid, antialiased=self.register_tokens is not None
        )
        self.position_table = table.to(self.pos_embed.dtype)


def load_dinov2(network: DinoV2, path: Path) -> None:
    """Released DINOv2 weights; a network without the final norm leaves that one out.

    Raises InputError, as load_weights does.
    """
    load_weights(network, path, leave=() if network.norm is not None else ("norm.",))


def _resample_after_loading(module: nn.Module, _: Any) -> None:
    assert isinstance(module, DinoV2)
    module._resample()


class PatchEmbed(nn.Module):
    """(N,3,H,W) -> one token per 14 px patch, row by row: (N,h*w,D)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, channels, PATCH_PX, PATCH_PX)

    def forward(self, pictures: Tensor) -> Tensor:
        tokens: Tensor = self.proj(pictures).flatten(2).transpose(1, 2)
        return tokens


class Block(nn.Module):
    """Attention, then MLP, each normalised before, scaled after and added; (N,n,D) -> the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, eps=NORM_EPS)
        self.attn = Attention(channels)
        self.ls1 = LayerScale(channels)
        self.norm2 = nn.LayerNorm(channels, eps=NORM_EPS)
        self.mlp = Mlp(channels)
        self.ls2 = LayerScale(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.ls1(self.attn(self.norm1(x)))
        out: Tensor = x + self.ls2(self.mlp(self.norm2(x)))
        return out


class Attention(nn.Module):
    """Heads of 64 channels; rows of qkv are the queries, then the keys, then the values."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        n, c = int(x.shape[1]), int(x.shape[2])
        split = self.qkv(x).reshape(-1, n, 3, c // HEAD_CHANNELS, HEAD_CHANNELS)
        q, k, v = split.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.proj(mixed.transpose(1, 2).reshape(-1, n, c))
        return out


class LayerScale(nn.Module):
    """A learned factor for every channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class Mlp(nn.Module):
    """Four times as wide inside, exact GELU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, 4 * channels)
        self.fc2 = nn.Linear(4 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(nn.functional.gelu(self.fc1(x)))
        return out
