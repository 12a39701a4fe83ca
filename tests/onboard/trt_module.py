"""TensorRT's module, or its bindings alone: enough to check names against.

TENSORRT_BINDINGS may name a folder that holds the package `tensorrt_bindings`, together with
libraries that satisfy its loader.
"""

import ctypes
import importlib
import os
import sys
from pathlib import Path

import pytest


def bindings():
    """Skips where neither can be imported."""
    folder = os.environ.get("TENSORRT_BINDINGS")
    if folder:
        for library in sorted(Path(folder).glob("lib*.so*")):
            ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
        sys.path.insert(0, folder)
    for name in ("tensorrt", "tensorrt_bindings"):
        try:
            return importlib.import_module(name)
        except (ImportError, OSError):
            continue
    pytest.skip("no TensorRT bindings: install TensorRT, or name them in TENSORRT_BINDINGS")
