"""The networks once more from their published formulas, in numpy and float64, sharing no code
with export/: what the parity tests compare with. Weights come as a state dict of arrays."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

Weights = dict[str, np.ndarray]
PATCH, GRID, HEAD = 14, 37, 64
SINKHORN_ITERATIONS = 3


def arrays(network: torch.nn.Module, prefix: str = "") -> Weights:
    state = network.state_dict()
    return {
        k.removeprefix(prefix): v.double().numpy() for k, v in state.items() if k.startswith(prefix)
    }


def randomise(network: torch.nn.Module, seed: int) -> None:
    """Weights that keep the signal's size through the depth and leave no part of it idle."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in network.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if name.endswith("gamma"):
                p.copy_(0.3 + 0.1 * noise)
            elif p.ndim == 1 and name.endswith("weight"):  # of norms
                p.copy_(1 + 0.2 * noise)
            elif name.endswith(("pos_embed", "_token", "register_tokens")):
                p.copy_(0.3 * noise)
            elif p.ndim >= 2:
                p.copy_(noise / p[0].numel() ** 0.5)
            else:
                p.copy_(0.1 * noise + (0.7 if p.ndim == 0 else 0))


def dinov2(p: Weights, pictures: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """(N,3,H,W) -> class tokens (N,D), patch maps (N,D,h,w)."""
    rows, columns = pictures.shape[2] // PATCH, pictures.shape[3] // PATCH
    table = _position_table(p, rows, columns)
    kernel = p["patch_embed.proj.weight"].reshape(len(p["patch_embed.proj.weight"]), -1)
    tokens, maps = [], []
    for picture in pictures.double().numpy():
        patches = picture.reshape(3, rows, PATCH, columns, PATCH).transpose(1, 3, 0, 2, 4)
        x = patches.reshape(rows * columns, -1) @ kernel.T + p["patch_embed.proj.bias"]
        x = np.vstack([p["cls_token"][0], x]) + table
        registers = p["register_tokens"][0] if "register_tokens" in p else np.empty((0, x.shape[1]))
        x = np.vstack([x[:1], registers, x[1:]])
        block = 0
        while f"blocks.{block}.norm1.weight" in p:
            w = {k.split(".", 2)[2]: v for k, v in p.items() if k.startswith(f"blocks.{block}.")}
            x = x + w["ls1.gamma"] * _attention(w, _norm(x, w["norm1.weight"], w["norm1.bias"]))
            y = _norm(x, w["norm2.weight"], w["norm2.bias"])
            y = _gelu(y @ w["mlp.fc1.weight"].T + w["mlp.fc1.bias"])
            x = x + w["ls2.gamma"] * (y @ w["mlp.fc2.weight"].T + w["mlp.fc2.bias"])
            block += 1
        if "norm.weight" in p:
            x = _norm(x, p["norm.weight"], p["norm.bias"])
        tokens.append(x[0])
        maps.append(x[1 + len(registers) :].T.reshape(-1, rows, columns))
    return np.array(tokens), np.array(maps)


def salad(p: Weights, features: np.ndarray, token: np.ndarray) -> np.ndarray:
    """Token by token; the marginals sum to 1, as in the paper, and nothing is in log form."""

    def mlp(x: np.ndarray, name: str, last: int) -> np.ndarray:
        x = np.maximum(p[f"{name}.0.weight"].reshape(-1, x.size) @ x + p[f"{name}.0.bias"], 0)
        return p[f"{name}.{last}.weight"].reshape(-1, x.size) @ x + p[f"{name}.{last}.bias"]

    m = len(p["score.3.bias"])
    descriptors = []
    for picture, whole in zip(features, token, strict=True):
        tokens = picture.reshape(len(picture), -1).T
        n = len(tokens)
        scores = np.array([mlp(t, "score", 3) for t in tokens]).T
        if "dust_bin" in p:
            scores = np.vstack([scores, np.full(n, p["dust_bin"])])
            a = np.append(np.full(m, 1 / (n + m)), (n - m) / (n + m))
            b = np.full(n, 1 / (n + m))
        else:
            a, b = np.full(m, 1 / m), np.full(n, 1 / n)
        kernel, v = np.exp(scores), np.ones(n)
        for _ in range(SINKHORN_ITERATIONS):
            u = a / (kernel @ v)
            v = b / (kernel.T @ u)
        shares = (u[:, None] * kernel * v / b)[:m]
        clusters = np.zeros((len(p["cluster_features.3.bias"]), m))
        for t, share in zip(tokens, shares.T, strict=True):
            clusters += np.outer(mlp(t, "cluster_features", 3), share)
        parts = [(clusters / np.linalg.norm(clusters, axis=0)).ravel()]
        if "token_features.0.weight" in p:
            parts.insert(0, _unit(mlp(whole, "token_features", 2)))
        descriptors.append(_unit(np.concatenate(parts)))
    return np.array(descriptors)


def mixvpr(p: Weights, features: np.ndarray) -> np.ndarray:
    """One channel's cells at a time."""
    descriptors = []
    for picture in features:
        mixed = []
        for x in picture.reshape(len(picture), -1):
            layer = 0
            while f"mix.{layer}.mix.0.weight" in p:
                w = {k.split(".", 3)[3]: v for k, v in p.items() if k.startswith(f"mix.{layer}.")}
                y = _norm(x, w["0.weight"], w["0.bias"], eps=1e-5)
                y = np.maximum(w["1.weight"] @ y + w["1.bias"], 0)
                x = x + w["3.weight"] @ y + w["3.bias"]
                layer += 1
            mixed.append(x)
        x = p["channel_proj.weight"] @ np.array(mixed) + p["channel_proj.bias"][:, None]
        descriptors.append(_unit((x @ p["row_proj.weight"].T + p["row_proj.bias"]).ravel()))
    return np.array(descriptors)


def _position_table(p: Weights, rows: int, columns: int) -> np.ndarray:
    """By upstream's own call."""
    table = torch.from_numpy(p["pos_embed"]).float()
    patches = table[:, 1:].reshape(1, GRID, GRID, -1).permute(0, 3, 1, 2)
    if "register_tokens" in p:
        patches = F.interpolate(patches, size=(rows, columns), mode="bicubic", antialias=True)
    elif (rows, columns) != (GRID, GRID):
        scales = ((rows + 0.1) / GRID, (columns + 0.1) / GRID)
        patches = F.interpolate(patches, scale_factor=scales, mode="bicubic")
    patches = patches[0].flatten(1).T
    return torch.cat([table[0, :1], patches]).double().numpy()


def _attention(w: Weights, x: np.ndarray) -> np.ndarray:
    q, k, v = np.split(x @ w["attn.qkv.weight"].T + w["attn.qkv.bias"], 3, axis=1)
    heads = []
    for i in range(0, x.shape[1], HEAD):
        logits = q[:, i : i + HEAD] @ k[:, i : i + HEAD].T / np.sqrt(HEAD)
        weights = np.exp(logits - logits.max(1, keepdims=True))
        heads.append(weights / weights.sum(1, keepdims=True) @ v[:, i : i + HEAD])
    return np.hstack(heads) @ w["attn.proj.weight"].T + w["attn.proj.bias"]


def _norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float = 1e-6) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + eps) * weight + bias


def _gelu(x: np.ndarray) -> np.ndarray:
    return x * 0.5 * (1 + torch.erf(torch.from_numpy(x / np.sqrt(2))).numpy())


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x)
