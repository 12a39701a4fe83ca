"""Several processes of torchrun as one training; everything here does nothing in a single one."""

from __future__ import annotations

import os

import torch
from torch import nn


def rank() -> int:
    """This process's number, 0 when it is alone."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Only the first process logs, validates and writes."""
    return rank() == 0


def device() -> torch.device:
    """The GPU of this process, or the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")


def wrapped(model: nn.Module) -> nn.Module:
    """DistributedDataParallel under torchrun, the model itself otherwise."""
    if world_size() == 1:
        return model
    if not torch.distributed.is_initialized():
        backend = "nccl" if torch.cuda.is_available() else "gloo"
        torch.distributed.init_process_group(backend)
    return nn.parallel.DistributedDataParallel(model)


def barrier() -> None:
    if world_size() > 1:
        torch.distributed.barrier()
