"""Several processes of torchrun as one training; everything here does nothing in a single one.

    torchrun --nproc-per-node 4 --no-python pilotage train CONFIG --out OUT

The gradients of the processes are averaged (DistributedDataParallel). A loss that compares the
samples of a batch with one another must see those of all processes: it gathers the features,
and gather's backward sums what every process knows about them, so that the averaged gradient
is that of one process with the joined batch.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from onboard.errors import InputError

PATIENCE = timedelta(hours=2)  # the others wait so long while the first process validates


def rank() -> int:
    """This process's number, 0 when it is alone."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Only the first process logs, validates and writes."""
    return rank() == 0


def device() -> torch.device:
    """The GPU of this process, or the CPU. Raises InputError: more processes than GPUs."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    if local_rank >= torch.cuda.device_count():
        raise InputError(
            f"torchrun: process {local_rank} has no GPU, there are {torch.cuda.device_count()}; "
            "lower --nproc-per-node"
        )
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)


def wrapped(model: nn.Module) -> nn.Module:
    """DistributedDataParallel under torchrun, the model itself otherwise."""
    if world_size() == 1:
        return model
    _join()
    # branches that a step leaves out (alternating estimators) have no gradient there
    return nn.parallel.DistributedDataParallel(model, find_unused_parameters=True)


def barrier() -> None:
    """Returns when all processes have come here."""
    if world_size() > 1:
        _join()
        dist.barrier()


def gather(x: Tensor) -> Tensor:
    """(N,...) of every process -> (world N,...) in order of rank, with gradient. N must be the
    same everywhere."""
    if world_size() == 1:
        return x
    _join()
    joined: Tensor = _Gather.apply(x)  # type: ignore[no-untyped-call]
    return joined


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        parts = [torch.empty_like(x) for _ in range(world_size())]
        dist.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total.chunk(world_size())[rank()]


def _join() -> None:
    if not dist.is_initialized():
        backend = "nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, timeout=PATIENCE)
