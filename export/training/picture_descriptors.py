"""Descriptors of many pictures by the network that is being trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from export.datasets.picture_file import read_picture
from export.datasets.retrieval_set import Item, Size
from maps.progress import progress_s

AT_ONCE = 16


@torch.no_grad()
def describe_items(
    describe: Callable[[NDArray[np.uint8]], Tensor],
    network: nn.Module,
    items: Sequence[Item],
    size: Size,
) -> Tensor:
    """(N, D) in the items' order; the network is in evaluation meanwhile.

    Raises InputError: a picture that is absent or broken.
    """
    training = network.training
    network.eval()
    try:
        parts = [
            describe(np.stack([read_picture(i.picture, size) for i in items[n : n + AT_ONCE]]))
            for n in tqdm(
                range(0, len(items), AT_ONCE),
                desc="describing",
                leave=False,
                mininterval=progress_s(),
            )
        ]
    finally:
        network.train(training)
    return torch.cat(parts)
