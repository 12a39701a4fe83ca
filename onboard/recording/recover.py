"""Makes a whole recording, with its index, of one that a crash cut short."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mcap.records import Channel, Message, Schema
from mcap.writer import CompressionType, Writer

from onboard.errors import InputError
from onboard.recording.whole_chunks import Whole, chunk_records
from onboard.whole_file import partial_name

LIBRARY = "pilotage recovered"


@dataclass(frozen=True)
class Recovered:
    """seconds: from the first to the last message that was saved."""

    messages: int
    seconds: float
    whole: Whole


def recover(path: Path, out: Path) -> Recovered:
    """Copies every whole chunk's messages. out appears whole or not at all.

    Raises InputError: cannot be read, nothing to save, cannot be written.
    """
    if out.resolve() == path.resolve():
        raise InputError(f"{out}: is the recording itself; give another name with --out")
    whole = Whole()
    partial = out.with_name(partial_name(out.name))
    try:
        with partial.open("wb") as file:
            writer = Writer(file, compression=CompressionType.ZSTD)
            writer.start(library=LIBRARY)
            messages, first_ns, last_ns = _copy(path, writer, whole)
            writer.finish()  # type: ignore[no-untyped-call]
        if messages == 0:
            raise InputError(f"{path}: no whole second is left in it; nothing to recover")
        partial.replace(out)
    except OSError as e:
        raise InputError(f"{out}: cannot be written ({e.strerror}); choose a place") from e
    finally:
        with suppress(OSError):  # a folder that can't be written: it never was there
            partial.unlink(missing_ok=True)
    return Recovered(messages, (last_ns - first_ns) * 1e-9, whole)


def _copy(path: Path, writer: Writer, whole: Whole) -> tuple[int, int, int]:
    schemas: dict[int, int] = {0: 0}
    channels: dict[int, int] = {}
    times: list[int] = []
    messages = 0
    for records in chunk_records(path, whole):
        for record in records:
            if isinstance(record, Schema):
                schemas[record.id] = writer.register_schema(
                    record.name, record.encoding, record.data
                )
            elif isinstance(record, Channel):
                channels[record.id] = writer.register_channel(
                    record.topic,
                    record.message_encoding,
                    schemas.get(record.schema_id, 0),
                    record.metadata,
                )
            elif isinstance(record, Message) and record.channel_id in channels:
                writer.add_message(
                    channels[record.channel_id],
                    record.log_time,
                    record.data,
                    record.publish_time,
                    record.sequence,
                )
                messages += 1
                times = [min(times[0], record.log_time), max(times[1], record.log_time)] if (
                    times
                ) else [record.log_time] * 2  # fmt: skip
    return messages, times[0] if times else 0, times[1] if times else 0
