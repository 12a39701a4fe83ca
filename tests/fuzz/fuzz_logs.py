"""Any bytes as a recorded log of each kind: one error sentence, or a shorter flight of numbers that
can be true and that pictures can be matched to.

An input's first byte chooses the kind. The last one is Pilotage's recording with its steps as
lines of JSON, packed into a file whose checksums are right.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import sys
import tempfile
from dataclasses import fields
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from fuzz_runner import fuzz
from mcap.reader import make_reader
from mcap.writer import Writer

from onboard.errors import InputError
from onboard.recording import schemas
from onboard.recording.reader import Recording
from onboard.telemetry_messages import Gnss
from tests.tools.logs.test_dataflash import small_log
from tests.tools.logs.test_dji_srt import subtitles
from tests.tools.logs.test_tlog import tlog
from tests.tools.logs.ulog_writer import small_ulog
from tests.tools.recorded_flight import record
from tests.tools.small_area import make_small_area
from tools.logs.open_log import READERS, open_log
from tools.logs.pictures import match_photos
from tools.logs.recorded_log import MAX_FROM_MIDDLE_NS
from tools.logs.with_frames import with_course_as_yaw, with_frames
from tools.photo_folder import Photo
from tools.photo_tags import PhotoTags

KINDS = (*sorted(READERS), ".mcap", ".steps")
FOLDER = Path(tempfile.mkdtemp())
MOST_STEPS = 20_000
PHOTOS = [
    Photo(Path(f"{i}.jpg"), PhotoTags(time_ns=t, lat_deg=47.2, lon_deg=8.5), t)
    for i, t in enumerate((1_700_000_000_000_000_000, 1_700_000_001_000_000_000))
]
TOKENS = (
    *(b"\xa3\x95\x80", b"\xa3\x95\x01", b"\xa3\x95\x02", b"QBBIHB", b"TimeUS", b"GPS\0"),
    *(b"\xfd", b"\xfe", b"ULog\x01\x12\x35", b"uint64_t timestamp", b"float[4]", b"double lat"),
    *(b"[latitude: 91]", b"[rel_alt: -1e9 abs_alt: nan]", b"--> ", b"99:99:99,999", b"[gb_yaw: 5]"),
    *(b"2024-02-30 11:35:09.009", b'"n":', b'"frame"', b"\x89MCAP0\r\n", b"null", b"1e400"),
    *(b"timestamp", b"latitude", b"rel_alt", b"\r\n", b",,", b"bool ", b"uint8_t[65535] x;"),
)


def target(data: bytes) -> None:
    kind = KINDS[data[0] % len(KINDS)] if data else KINDS[0]
    path = FOLDER / f"fuzz{kind}"
    path.write_bytes(data[1:])
    try:
        if kind in READERS:
            _use_log(path)
        else:
            _use_recording(path if kind == ".mcap" else _packed(data[1:]))
    except InputError as e:
        assert str(e) and "\n" not in str(e), e


def _use_log(path: Path) -> None:
    log = open_log(path)
    times = [event.time_ns for event in log.events]
    assert times and times == sorted(times) and times[0] >= 0
    for event in log.events:
        values = [getattr(event, f.name) for f in fields(event)]
        assert all(math.isfinite(v) for v in values if isinstance(v, float)), event
    assert all(abs(t.time_ns - log.start_ns) < 2 * MAX_FROM_MIDDLE_NS for t in log.triggers)
    track = log.track
    assert all(abs(track.lat_deg) <= 90) and all(abs(track.lon_deg) <= 180)
    with contextlib.suppress(InputError):
        match_photos(PHOTOS, log)
    with contextlib.suppress(InputError):
        log = with_course_as_yaw(log)
    handed = list(with_frames(log, (), log.start_ns + 1_000_000_000))
    assert len(handed) == len(log.events)
    lost = [e for e in handed if isinstance(e, Gnss) and e.time_ns >= log.start_ns + 1_000_000_000]
    assert not any(e.has_fix for e in lost)


def _use_recording(path: Path) -> None:
    for _ in itertools.islice(Recording(path).steps(), MOST_STEPS):
        pass


def _packed(lines: bytes) -> Path:
    """The first line is the flight's start, every other one a step."""
    path = FOLDER / "packed.mcap"
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start()
        topics = {}
        for name in (schemas.STARTS.name, schemas.STEPS.name):
            schema = writer.register_schema(name, "jsonschema", b"{}")
            topics[name] = writer.register_channel(name, "json", schema)
        for i, line in enumerate(lines.split(b"\n")):
            topic = topics[schemas.STEPS.name if i else schemas.STARTS.name]
            writer.add_message(topic, log_time=i, publish_time=i, data=line)
        writer.finish()
    return path


def _recorded() -> list[bytes]:
    """A recording as it is, and its start and steps as lines."""
    area = make_small_area(FOLDER)
    whole = record(area, area.write_flight(FOLDER / "flight", count=1), FOLDER / "recordings").path
    with whole.open("rb") as file:
        wanted = [schemas.STARTS.name, schemas.STEPS.name]
        told = [message.data for _, _, message in make_reader(file).iter_messages(wanted)]
    return [_of(".mcap", whole.read_bytes()), _of(".steps", b"\n".join(told))]


def _of(kind: str, data: bytes) -> bytes:
    return bytes([KINDS.index(kind)]) + data


if __name__ == "__main__":
    table = "frame_count,start_seconds,timestamp,latitude,longitude,rel_alt,abs_alt\n"
    rows = "".join(f"{i},{i / 10},2024-06-19 11:01:31.198,47.2,8.{i},100,520\n" for i in range(30))
    gimbal = subtitles(12, more="[gb_yaw: 90.0 gb_pitch: -88.0 gb_roll: 0.5]")
    samples = [
        _of(".bin", bytes(small_log().data)),
        _of(".tlog", tlog(2.0)),
        _of(".tlog", tlog(4.0, reboot_s=2.0)),
        _of(".ulg", small_ulog()),
        _of(".ulg", small_ulog(old=True)),
        _of(".srt", subtitles(12).encode()),
        _of(".srt", gimbal.encode()),
        _of(".csv", (table + rows).encode()),
        *_recorded(),
    ]
    sys.exit(fuzz(target, samples, TOKENS))
