"""Point clouds as .ply files: ASCII and binary little-endian, x y z and, where given, colours.

Read and written here rather than by a library: a dozen lines of header, numpy for the rest,
and every size checked against the file before anything is allocated.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onboard.errors import InputError
from onboard.whole_file import write_whole

MAX_POINTS = 50_000_000  # 750 MB in memory; surveys have some 1e4..1e7
MAX_HEADER_BYTES = 65_536
TYPES = {
    **{"char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1"},
    **{"short": "<i2", "int16": "<i2", "ushort": "<u2", "uint16": "<u2"},
    **{"int": "<i4", "int32": "<i4", "uint": "<u4", "uint32": "<u4"},
    **{"float": "<f4", "float32": "<f4", "double": "<f8", "float64": "<f8"},
}
FORMATS = ("ascii", "binary_little_endian")
COLOURS = ("red", "green", "blue")


@dataclass(frozen=True)
class PointCloud:
    """xyz: (N,3) float64, finite. rgb: (N,3) uint8, or None."""

    xyz: NDArray[np.float64]
    rgb: NDArray[np.uint8] | None = None


def write_ply(path: Path, cloud: PointCloud, binary: bool = True) -> None:
    """Coordinates as 32-bit floats (6 mm at 100 km: keep them local). Raises InputError when
    the file cannot be written, ValueError for a cloud of the wrong shape."""
    n = len(cloud.xyz)
    if cloud.xyz.shape != (n, 3) or (cloud.rgb is not None and cloud.rgb.shape != (n, 3)):
        raise ValueError("a point cloud has (N,3) coordinates and (N,3) colours")
    fields = [(axis, "<f4") for axis in "xyz"]
    lines = ["ply", f"format {FORMATS[binary]} 1.0", f"element vertex {n}"]
    lines += [f"property float {axis}" for axis in "xyz"]
    if cloud.rgb is not None:
        fields += [(c, "u1") for c in COLOURS]
        lines += [f"property uchar {c}" for c in COLOURS]
    table = np.empty(n, np.dtype(fields))
    for i, axis in enumerate("xyz"):
        table[axis] = cloud.xyz[:, i]
    if cloud.rgb is not None:
        for i, c in enumerate(COLOURS):
            table[c] = cloud.rgb[:, i]
    header = ("\n".join([*lines, "end_header"]) + "\n").encode("ascii")
    if binary:
        body = table.tobytes()
    else:
        body = "".join(" ".join(f"{v:.9g}" for v in row.tolist()) + "\n" for row in table).encode(
            "ascii"
        )
    write_whole(path, header + body)


def read_ply(path: Path) -> PointCloud:
    """Reads the vertices; other properties and later elements are passed over.

    Raises InputError: unreadable, no .ply, big-endian, no x, y, z, more than MAX_POINTS,
    shorter than its header says, a coordinate that is no number.
    """
    try:
        data = path.read_bytes()
    except OSError as e:
        raise InputError(f"{path}: cannot be read ({e.strerror}); give a .ply file") from e
    kind, count, fields, start = _header(path, data)
    if kind == "ascii":
        table = _ascii_vertices(path, data[start:], count, fields)
    else:
        layout = np.dtype(fields)
        if len(data) - start < count * layout.itemsize:
            raise InputError(
                f"{path}: ends after {(len(data) - start) // layout.itemsize} of {count} points; "
                "it was cut short, make or fetch it again"
            )
        table = np.frombuffer(data, layout, count, start)
    xyz = np.stack([table[axis].astype(np.float64) for axis in "xyz"], 1)
    if not np.isfinite(xyz).all():
        bad = int(np.flatnonzero(~np.isfinite(xyz).all(1))[0])
        raise InputError(f"{path}: point {bad} has a coordinate that is no number; remove it")
    rgb = None
    if all(c in (table.dtype.names or ()) and table.dtype[c] == np.uint8 for c in COLOURS):
        rgb = np.stack([table[c] for c in COLOURS], 1)
    return PointCloud(xyz, rgb)


def _header(path: Path, data: bytes) -> tuple[str, int, list[tuple[str, str]], int]:
    """(format, number of vertices, their fields, where the body starts)."""
    end = data.find(b"end_header", 0, MAX_HEADER_BYTES)
    newline = data.find(b"\n", end)
    if not data.startswith(b"ply") or end < 0 or newline < 0:
        raise InputError(f"{path}: not a .ply file (no header); give a point cloud as .ply")
    kind, count, fields, element = "", -1, list[tuple[str, str]](), ""
    for number, line in enumerate(data[:end].decode("ascii", "replace").splitlines(), 1):
        words = line.split()
        where = f"{path}, line {number}"
        if words[:1] == ["format"]:
            kind = words[1] if len(words) > 1 else ""
        elif words[:1] == ["element"]:
            if len(words) != 3 or not words[2].isdigit():
                raise InputError(f"{where}: '{line}' is no element with its count; correct it")
            if count < 0 and words[1] != "vertex":
                raise InputError(f"{where}: '{words[1]}' before the vertices; write them first")
            element = words[1]
            count = int(words[2]) if element == "vertex" else count
        elif words[:1] == ["property"] and element == "vertex":
            if len(words) != 3 or words[1] not in TYPES:
                raise InputError(f"{where}: '{line}' is no property of a point; remove it")
            if words[2] in (name for name, _ in fields):
                raise InputError(f"{where}: '{words[2]}' is there twice; remove one")
            fields.append((words[2], TYPES[words[1]]))
    if kind not in FORMATS:
        raise InputError(f"{path}: format '{kind}'; write it as {' or '.join(FORMATS)}")
    if not {"x", "y", "z"} <= {name for name, _ in fields}:
        raise InputError(f"{path}: its points have no x, y, z; give a point cloud")
    if not 0 <= count <= MAX_POINTS:
        raise InputError(f"{path}: {count} points; at most {MAX_POINTS} can be taken")
    return kind, count, fields, newline + 1


def _ascii_vertices(
    path: Path, body: bytes, count: int, fields: list[tuple[str, str]]
) -> NDArray[np.void]:
    lines = body.split(b"\n", count)[:count]
    while lines and not lines[-1].strip():
        lines.pop()
    if len(lines) < count:
        raise InputError(
            f"{path}: ends after {len(lines)} of {count} points; "
            "it was cut short, make or fetch it again"
        )
    columns = [(name, kind if kind in ("u1", "<f4") else "<f8") for name, kind in fields]
    if not count:
        return np.empty(0, np.dtype(columns))
    try:
        values = np.loadtxt(io.BytesIO(b"\n".join(lines)), np.float64, ndmin=2)
    except ValueError as e:
        raise InputError(f"{path}: a point is not {len(fields)} numbers ({e})") from e
    if values.shape != (count, len(fields)):
        raise InputError(
            f"{path}: its points are {values.shape[1]} numbers each, the header names {len(fields)}"
        )
    table = np.empty(count, np.dtype(columns))
    with np.errstate(invalid="ignore"):
        for i, (name, _) in enumerate(columns):
            table[name] = values[:, i]
    return table
