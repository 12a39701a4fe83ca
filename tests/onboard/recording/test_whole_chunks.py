"""Reading of cut, damaged and forged MCAP files: what is whole comes out, nothing raises."""

import io
import struct
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcap.opcode import Opcode
from mcap.reader import make_reader
from mcap.records import Message

from onboard.errors import InputError
from onboard.recording import schemas
from onboard.recording.recover import recover
from onboard.recording.session_file import SessionFile
from onboard.recording.whole_chunks import MAGIC, Whole, chunk_records

CHUNKS, EACH = 5, 20
quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def session(tmp_path_factory) -> Path:
    """Five chunks of twenty messages, closed properly."""
    path = tmp_path_factory.mktemp("mcap") / "flight.mcap"
    file = SessionFile(path)
    for n in range(CHUNKS * EACH):
        file.put(schemas.STEPS, n, n, {"n": n, "text": "x" * 100})
        if n % EACH == EACH - 1:
            file.flush()
    file.close()
    return path


def messages(path: Path, whole: Whole | None = None) -> list[Message]:
    chunks = chunk_records(path, whole or Whole())
    return [r for records in chunks for r in records if isinstance(r, Message)]


def test_a_closed_file_is_whole(session):
    whole = Whole()
    assert len(messages(session, whole)) == CHUNKS * EACH
    assert whole == Whole(None, 0)


def test_what_was_flushed_is_there_without_a_close(tmp_path):
    file = SessionFile(tmp_path / "open.mcap")
    file.put(schemas.STEPS, 1, 1, {"n": 0})
    file.flush()
    file.put(schemas.STEPS, 2, 2, {"n": 1})
    assert len(messages(file.path)) == 1
    file.close()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(share=st.floats(0.0, 1.0))
def test_cut_anywhere_every_whole_chunk_comes_out(session, tmp_path, share):
    data = session.read_bytes()
    cut = tmp_path / "cut.mcap"
    size = max(len(MAGIC), int(len(data) * share))
    cut.write_bytes(data[:size])
    whole = Whole()
    found = messages(cut, whole)
    assert len(found) % EACH == 0
    assert [m.log_time for m in found] == list(range(len(found)))
    if size < len(data) // 2:
        assert whole.cut_at is not None


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(at=st.floats(0.0, 1.0), bits=st.integers(1, 255))
def test_a_flipped_byte_costs_at_most_its_chunk_or_what_follows(session, tmp_path, at, bits):
    data = bytearray(session.read_bytes())
    position = len(MAGIC) + int((len(data) - len(MAGIC) - 1) * at)
    data[position] ^= bits
    flipped = tmp_path / "flipped.mcap"
    flipped.write_bytes(bytes(data))
    for message in messages(flipped):
        assert 0 <= message.log_time < CHUNKS * EACH


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.binary(max_size=400))
def test_any_bytes_after_the_magic_are_read_to_an_end(tmp_path, data):
    path = tmp_path / "any.mcap"
    path.write_bytes(MAGIC + data)
    messages(path)


def chunk(uncompressed_size: int, data: bytes) -> bytes:
    body = struct.pack("<QQQIL", 0, 0, uncompressed_size, 0, 4) + b"zstd"
    body += struct.pack("<Q", len(data)) + data
    return struct.pack("<BQ", Opcode.CHUNK, len(body)) + body


@pytest.mark.parametrize("told", [1 << 40, 100])
def test_a_chunk_that_would_fill_the_memory_is_left_out(tmp_path, told):
    out = io.BytesIO()
    with zstandard.ZstdCompressor().stream_writer(out, size=1 << 30, closefd=False) as writer:
        for _ in range(1 << 10):
            writer.write(b"\0" * (1 << 20))
    bomb = tmp_path / "bomb.mcap"
    bomb.write_bytes(MAGIC + chunk(told, out.getvalue()))
    whole = Whole()
    assert messages(bomb, whole) == []
    assert whole.damaged == 1


@pytest.mark.parametrize("length", [1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_a_chunk_that_forges_the_length_of_its_data_is_left_out(tmp_path, length):
    whole_chunk = chunk(10, b"0123456789")
    told, cut = struct.pack("<Q", 10), struct.pack("<Q", length)
    at = whole_chunk.rindex(told)
    path = tmp_path / "forged.mcap"
    path.write_bytes(MAGIC + whole_chunk[:at] + cut + whole_chunk[at + 8 :])
    whole = Whole()
    assert messages(path, whole) == []
    assert whole.damaged == 1


def test_recovered_files_have_an_index(session, tmp_path):
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(session.read_bytes()[: session.stat().st_size // 2])
    recovered = recover(cut, tmp_path / "out.mcap")
    with (tmp_path / "out.mcap").open("rb") as file:
        summary = make_reader(file).get_summary()
    assert summary.statistics.message_count == recovered.messages > 0


@pytest.mark.parametrize("data", [b"", b"MCAP", b"\x89PNG\r\n\x1a\n", MAGIC])
def test_nothing_to_save_is_told_and_leaves_no_file(tmp_path, data):
    path = tmp_path / "empty.mcap"
    path.write_bytes(data)
    with pytest.raises(InputError):
        recover(path, tmp_path / "out.mcap")
    assert not (tmp_path / "out.mcap").exists()
    assert not list(tmp_path.glob("*.partial"))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        recover(tmp_path / "none.mcap", tmp_path / "out.mcap")


def test_an_output_that_cannot_be_written_is_told(session, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        recover(session, tmp_path / "file" / "out.mcap")
