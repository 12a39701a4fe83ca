"""numpy's array files (.npy) of a known kind, read without trust.

`numpy.load` allocates what a header asks for and evaluates it as Python; here the header is
compared with what the caller expects and with the file's length before anything is allocated.
"""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onboard.errors import InputError
from onboard.pack.ordinary_file import open_ordinary

Shape = tuple[int | None, ...]  # None: as many as there are
Kind = tuple[Any, Shape]  # dtype, shape

_MAGIC = b"\x93NUMPY\x01\x00"
MOST_HEADER_BYTES = 256  # numpy writes 128 for three dimensions and fewer
_HEADER = re.compile(
    rb"\{'descr': '([<>|]?[a-z][0-9]{1,2})', 'fortran_order': False, "
    rb"'shape': \((|[0-9]{1,15}(?:,|(?:, [0-9]{1,15})+))\), \} *\n"
)


def read_npy_checked(path: Path, dtype: Any, shape: Shape, mapped: bool = False) -> NDArray[Any]:
    """The array of a `.npy`, which must be of this dtype and shape. mapped: it stays on the disk,
    read-only; whoever cuts the file short meanwhile kills the process.

    Raises InputError naming the file: unreadable, no array file, of another kind or length.
    """
    try:
        with open_ordinary(path) as file:
            size = os.fstat(file.fileno()).st_size
            found, start = array_start(file, size, (dtype, shape))
            if mapped and size > start:
                return np.memmap(file, dtype, "r", start, found)
            data = file.read(size - start)
            if len(data) != size - start:
                raise ValueError("it ends too early")
            return np.frombuffer(data, dtype).reshape(found)
    except OSError as e:
        raise InputError(f"{path}: cannot be read ({e.strerror}); build the pack again") from e
    except ValueError as e:
        raise InputError(f"{path}: not this pack's array ({e}); build the pack again") from e


def array_start(file: Any, size: int, kind: Kind) -> tuple[tuple[int, ...], int]:
    """(the array's shape, where its numbers start), after comparing all with the size."""
    dtype, shape = np.dtype(kind[0]), kind[1]
    fixed = file.read(len(_MAGIC) + 2)
    length = int.from_bytes(fixed[len(_MAGIC) :], "little")
    if fixed[: len(_MAGIC)] != _MAGIC or length > MOST_HEADER_BYTES:
        raise ValueError("it does not begin as an array file")
    header = _HEADER.fullmatch(file.read(length))
    if header is None:
        raise ValueError("its header is not one of a plain array")
    found = tuple(int(n) for n in header[2].split(b",") if n.strip())
    agree = len(found) == len(shape) and all(
        wanted in (None, n) for n, wanted in zip(found, shape, strict=True)
    )
    if header[1].decode() != dtype.str or not agree:
        said = f"{header[1].decode()} of {found}"
        raise ValueError(f"it holds {said}, expected {dtype.str} of {shape}")
    start = len(fixed) + length
    if size != start + dtype.itemsize * math.prod(found):
        raise ValueError(f"its length is not that of {found}")
    return found, start
