"""Reads an MCAP file as far as it is whole: one that a crash cut short has no index and perhaps
half a chunk at its end. Trusts nothing in it.

MCAP: https://mcap.dev/spec. Records are an opcode, a length of eight bytes, and that many
bytes; a chunk is compressed and carries a checksum.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import zstandard
from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, Message, Schema
from mcap.stream_reader import breakup_chunk

from onboard.errors import InputError

MAGIC = b"\x89MCAP0\r\n"
RECORD_HEAD = struct.Struct("<BQ")
MAX_CHUNK_BYTES = 256 << 20  # ours have about 1 MB; a forged length must not take the memory

ChunkRecord = Schema | Channel | Message


@dataclass
class Whole:
    """What reading came to. cut_at: the byte from which on the file is not whole, None when it
    was closed properly. damaged: chunks within it that were left out."""

    cut_at: int | None = None
    damaged: int = 0


def chunk_records(path: Path, whole: Whole) -> Iterator[list[ChunkRecord]]:
    """The records of each whole chunk, in the file's order; `whole` is filled in on the way.

    Raises InputError: cannot be read, not MCAP.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise InputError(f"{path}: not an MCAP file; give a recording of Pilotage")
            yield from _chunks(file, path.stat().st_size, whole)
    except OSError as e:
        raise InputError(
            f"{path}: cannot be read ({e.strerror}); give an existing recording"
        ) from e


def _chunks(file: IO[bytes], size: int, whole: Whole) -> Iterator[list[ChunkRecord]]:
    while True:
        begin = file.tell()
        head = file.read(RECORD_HEAD.size)
        if len(head) < RECORD_HEAD.size:
            whole.cut_at = begin
            return
        opcode, length = RECORD_HEAD.unpack(head)
        if opcode == Opcode.FOOTER:
            return
        if opcode == 0 or length > size - file.tell():
            whole.cut_at = begin
            return
        if opcode != Opcode.CHUNK:
            file.seek(length, io.SEEK_CUR)
            continue
        if length > MAX_CHUNK_BYTES:
            file.seek(length, io.SEEK_CUR)
            whole.damaged += 1
            continue
        records = _unpacked(file.read(length))
        if records is None:
            whole.damaged += 1
        else:
            yield records


def _unpacked(data: bytes) -> list[ChunkRecord] | None:
    """None: damaged."""
    try:
        chunk = Chunk.read(ReadDataStream(io.BytesIO(data)))
        if chunk.uncompressed_size > MAX_CHUNK_BYTES:
            return None
        if chunk.compression == "zstd":
            told = zstandard.get_frame_parameters(chunk.data).content_size
            if told != chunk.uncompressed_size:
                return None
        elif chunk.compression:  # ours are zstd
            return None
        records = breakup_chunk(chunk, validate_crc=True)
    except Exception:  # mcap's own list of what damaged bytes make it raise has gaps
        return None
    return [r for r in records if isinstance(r, Schema | Channel | Message)]
