"""Inference: a model bundle's network on whatever backend the machine has."""

from onboard.inference.contract import Backend, InferenceSettings
from onboard.inference.network import Array, Network, as_batch

__all__ = ["Array", "Backend", "InferenceSettings", "Network", "as_batch"]
