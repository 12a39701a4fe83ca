"""A recorded flight handed over again: every byte that was sent is sent again."""

import json
from dataclasses import replace

import pytest
from mcap.reader import make_reader

from onboard.companion import FrameDone
from onboard.errors import InputError
from onboard.recording import recorder, schemas
from onboard.recording.reader import Recording, SentStep
from onboard.recording.recover import recover
from onboard.recording.replay import replay
from onboard.telemetry_messages import Gnss
from tests.tools.recorded_flight import Flown, record


@pytest.fixture(scope="module")
def flown(small_area, tmp_path_factory) -> Flown:
    """Flushed often: on a fast machine the flight is over before the first flush is due."""
    folder = tmp_path_factory.mktemp("recorded")
    flight = small_area.write_flight(folder / "flight")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorder, "WRITE_EVERY_S", 0.005)
        patch.setattr(recorder, "FLUSH_EVERY_S", 0.02)
        return record(small_area, flight, folder / "recordings")


def again(flown, path):
    recording = Recording(path)
    results = []
    outcome = replay(
        recording,
        flown.equipment.pack,
        flown.equipment.describer,
        lambda entry: results.append(entry.result) if isinstance(entry, FrameDone) else None,
    )
    return outcome, results


def test_a_replayed_recording_sends_the_same_bytes(flown):
    outcome, results = again(flown, flown.path)
    assert outcome.different == ()
    assert outcome.ended == ""
    assert outcome.frames == 16
    assert outcome.same > 25
    assert sum(r.fix is not None for r in results) >= 2
    reasons = {r.refusal.reason.value for r in results if r.refusal}
    assert {"duplicate_time", "too_dark", "bad_picture"} <= reasons


def test_a_changed_event_would_be_noticed(flown, monkeypatch):
    """The comparison can fail: a receiver that says something else makes other positions."""
    recording = Recording(flown.path)
    changed = [
        replace(step, lat_deg=step.lat_deg + 1e-5) if isinstance(step, Gnss) else step
        for step in recording.steps()
    ]
    monkeypatch.setattr(recording, "steps", lambda: iter(changed))
    outcome = replay(recording, flown.equipment.pack, flown.equipment.describer)
    assert outcome.different
    assert outcome.different[0].name == "GPS_INPUT"


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_what_a_crash_left_is_replayed_to_the_same_bytes(flown, tmp_path, share):
    whole = flown.path.read_bytes()
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(whole[: int(len(whole) * share)])
    outcome, _ = again(flown, cut)
    assert outcome.different == ()
    assert "cut short" in outcome.ended


def test_the_wrong_map_is_refused(flown, tmp_path):
    pack = tmp_path / "other.pack"
    pack.mkdir()
    manifest = (flown.equipment.pack.path / "manifest.json").read_text()
    (pack / "manifest.json").write_text(manifest + "\n")
    recording = Recording(flown.path)
    other = flown.equipment.pack
    path, other.path = other.path, pack
    try:
        with pytest.raises(InputError, match="not the map of"):
            replay(recording, other, flown.equipment.describer)
    finally:
        other.path = path


def test_foxglove_finds_its_topics(flown):
    """By the library's own reader, through the index."""
    seen: dict[str, list[dict]] = {}
    with flown.path.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        summary = reader.get_summary()
        for _, channel, message in reader.iter_messages():
            seen.setdefault(channel.topic, []).append(json.loads(message.data))
    names = {schema.name for schema in summary.schemas.values()}
    assert {"foxglove.CompressedImage", "foxglove.LocationFix", "foxglove.Log"} <= names
    for topic in (schemas.CAMERA, schemas.VIEW, schemas.MATCH, schemas.ESTIMATE, schemas.FIX):
        assert seen[topic.name], topic.name
    assert len(seen[schemas.FRAMES.name]) == 16
    fix = seen[schemas.FIX.name][0]
    assert 46.0 < fix["latitude"] < 47.0
    assert len(fix["position_covariance"]) == 9
    texts = [entry["message"] for entry in seen[schemas.TEXTS.name]]
    assert any("has a position" in text for text in texts)
    assert any("too_dark" in text for text in texts)


def test_recovering_saves_every_whole_chunk(flown, tmp_path):
    data = flown.path.read_bytes()
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(data[: len(data) * 2 // 3])
    recovered = recover(cut, tmp_path / "out.mcap")
    assert recovered.messages > 80
    assert 0.1 < recovered.seconds < 60.0
    assert recovered.whole.cut_at is not None
    with (tmp_path / "out.mcap").open("rb") as file:
        count = sum(1 for _ in make_reader(file, validate_crcs=True).iter_messages())
    assert count == recovered.messages
    outcome, _ = again(flown, tmp_path / "out.mcap")
    assert outcome.different == ()


def test_sent_messages_are_recorded_with_their_bytes(flown):
    sent = [step for step in Recording(flown.path).steps() if isinstance(step, SentStep)]
    assert {"GPS_INPUT", "HEARTBEAT", "STATUSTEXT"} <= {step.name for step in sent}
    assert all(step.packed[0] == 0xFD for step in sent)
