"""Decompression of bytes that may be made to fill the memory."""

from __future__ import annotations

import zlib

import brotli
import zstandard
from pmtiles.tile import Compression


class BadCompression(Exception):
    """The message is a clause."""


def decompressed(data: bytes, how: Compression, limit: int) -> bytes:
    """Raises BadCompression: damaged, cut off, more than `limit` bytes."""
    try:
        if how is Compression.GZIP:
            out = _unzipped(data, limit)
        elif how is Compression.BROTLI:
            out = _unbrotlied(data, limit)
        elif how is Compression.ZSTD:
            size = zstandard.frame_content_size(data)  # -1: it does not say
            if size > limit:
                raise _too_large(limit)
            whole = zstandard.ZstdDecompressor(max_window_size=1 << 27)
            out = whole.decompress(data, max_output_size=limit)
        else:
            out = data
    except (zlib.error, brotli.error, zstandard.ZstdError) as e:
        raise BadCompression(f"a part cannot be decompressed ({e})") from e
    if len(out) > limit:
        raise _too_large(limit)
    return out


def _unzipped(data: bytes, limit: int) -> bytes:
    unzip = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    out = unzip.decompress(data, limit + 1)
    if len(out) <= limit and not unzip.eof:
        raise zlib.error("it ends too early")
    return out


def _unbrotlied(data: bytes, limit: int) -> bytes:
    decoder = brotli.Decompressor()
    out = bytearray(decoder.process(data, output_buffer_limit=limit + 1))
    while not decoder.is_finished() and len(out) <= limit:
        more = decoder.process(b"", output_buffer_limit=limit + 1)
        if not more:
            raise BadCompression("a part cannot be decompressed (it ends too early)")
        out += more
    return bytes(out)


def _too_large(limit: int) -> BadCompression:
    return BadCompression(f"a part would decompress to more than {limit >> 20} MiB")
