"""One MCAP file while it is written: whole chunks, each on the disk before the next second."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from mcap.writer import CompressionType, Writer

from onboard.recording.schemas import TOPICS, Topic

CHUNK_BYTES = 1 << 20  # one is written at every flush, however small
ENCODING = "json"
SCHEMA_ENCODING = "jsonschema"
LIBRARY = "pilotage"


class SessionFile:
    """Not for several threads at once. Raises OSError (disk full, gone) from every method."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("xb")
        try:
            self._writer = Writer(
                self._file, chunk_size=CHUNK_BYTES, compression=CompressionType.ZSTD
            )
            self._writer.start(profile="", library=LIBRARY)
            self._channels = {topic.name: self._register(topic) for topic in TOPICS}
        except BaseException:
            self._file.close()
            raise

    @property
    def size_bytes(self) -> int:
        """What is in the file; a chunk being filled is not."""
        return self._file.tell()

    def put(self, topic: Topic, log_ns: int, time_ns: int, table: Any, number: int = 0) -> None:
        """log_ns orders the file; time_ns is the content's. Both of the Unix epoch."""
        data = json.dumps(table, separators=(",", ":"), default=_number).encode()
        self._writer.add_message(
            self._channels[topic.name], max(0, log_ns), data, max(0, time_ns), number
        )

    def flush(self) -> None:
        """All that was put is on the disk when this returns."""
        self._writer.flush()  # type: ignore[no-untyped-call]
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Writes the index; without it the file can be read all the same."""
        try:
            self._writer.finish()  # type: ignore[no-untyped-call]
            self._file.flush()
            os.fsync(self._file.fileno())
        finally:
            self._file.close()

    def _register(self, topic: Topic) -> int:
        schema = json.dumps(topic.schema).encode()
        schema_id = self._writer.register_schema(topic.schema["title"], SCHEMA_ENCODING, schema)
        return int(self._writer.register_channel(topic.name, ENCODING, schema_id))


def _number(value: Any) -> Any:
    return value.item()  # numpy's
