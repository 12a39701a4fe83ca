"""ConvNeXt computed a second time in NumPy and float64: loops and matrix products only."""

import math

import numpy as np
import torch

_erf = np.vectorize(math.erf)


def layer_norm(x, weight, bias, axis=-1, eps=1e-6):
    mean, variance = x.mean(axis, keepdims=True), x.var(axis, keepdims=True)
    shape = [1] * x.ndim
    shape[axis] = -1
    return (x - mean) / np.sqrt(variance + eps) * weight.reshape(shape) + bias.reshape(shape)


def strided(x, weight, bias, stride):
    """Convolution of (C,h,w) whose kernel is as large as its stride."""
    c, h, w = x.shape
    cells = x.reshape(c, h // stride, stride, w // stride, stride)
    return np.einsum("chywx,ocyx->ohw", cells, weight) + bias[:, None, None]


def block(x, state, prefix):
    """(C,h,w) -> (C,h,w)."""
    s = {k: state[prefix + k] for k in (
        "gamma", "conv_dw.weight", "conv_dw.bias", "norm.weight", "norm.bias",
        "mlp.fc1.weight", "mlp.fc1.bias", "mlp.fc2.weight", "mlp.fc2.bias",
    )}  # fmt: skip
    c, h, w = x.shape
    padded = np.pad(x, ((0, 0), (3, 3), (3, 3)))
    y = np.zeros_like(x)
    for dy in range(7):
        for dx in range(7):
            factor = s["conv_dw.weight"][:, 0, dy, dx][:, None, None]
            y += factor * padded[:, dy : dy + h, dx : dx + w]
    y += s["conv_dw.bias"][:, None, None]
    cells = layer_norm(y.reshape(c, -1).T, s["norm.weight"], s["norm.bias"])
    wide = cells @ s["mlp.fc1.weight"].T + s["mlp.fc1.bias"]
    wide = 0.5 * wide * (1 + _erf(wide / math.sqrt(2)))
    out = (wide @ s["mlp.fc2.weight"].T + s["mlp.fc2.bias"]) * s["gamma"]
    return x + out.T.reshape(c, h, w)


def downsample(x, state, prefix):
    x = layer_norm(x, state[prefix + "0.weight"], state[prefix + "0.bias"], axis=0)
    return strided(x, state[prefix + "1.weight"], state[prefix + "1.bias"], 2)


def tower(picture, state, depths, separator, prefix=""):
    """(3,H,W) -> the stages' maps. separator: "_" or "." between stage and number."""
    stem = [f"{prefix}stem{separator}{i}." for i in (0, 1)]
    x = strided(picture, state[stem[0] + "weight"], state[stem[0] + "bias"], 4)
    x = layer_norm(x, state[stem[1] + "weight"], state[stem[1] + "bias"], axis=0)
    maps = []
    for i, depth in enumerate(depths):
        stage = f"{prefix}stages{separator}{i}."
        if i:
            x = downsample(x, state, stage + "downsample.")
        for b in range(depth):
            x = block(x, state, f"{stage}blocks.{b}.")
        maps.append(x)
    return maps


def float64(network):
    return {k: v.detach().numpy().astype(np.float64) for k, v in network.state_dict().items()}


@torch.no_grad()
def randomise(network, seed):
    """Weights and statistics that let no term vanish, as a fresh network's gammas would."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if not value.is_floating_point():
            continue
        noise = torch.randn(value.shape, generator=generator)
        if value.ndim > 1:
            value.copy_(noise / math.sqrt(value[0].numel()))
        elif name.endswith(("running_var", "gem.p")):
            value.copy_(value + 0.3 * noise.abs())
        else:
            value.copy_((1.0 if name.endswith(("weight", "gamma")) else 0.0) + 0.3 * noise)
    return network.eval()
