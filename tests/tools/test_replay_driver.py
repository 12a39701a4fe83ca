import numpy as np
import pytest

from onboard.camera import Camera
from onboard.companion import Companion
from onboard.describe import Describer
from onboard.loop import Navigator
from onboard.messages import Frame
from onboard.model_bundle import load_bundle
from onboard.pack.map_pack import MapPack
from onboard.reasons import Mode, Reason
from onboard.telemetry_messages import Gnss
from tests.tools.small_area import SOUTH_WEST
from tools.replay_driver import HOLE_NS, drive, run_record
from tools.truth import track_of

START_NS = 1_000_000_000_000
SECOND_NS = 1_000_000_000


@pytest.fixture(scope="module")
def pack(small_area):
    return MapPack.open(small_area.pack)


@pytest.fixture
def ticks():
    return Ticks()


@pytest.fixture
def companion(pack, ticks):
    navigator = Navigator(pack, Describer(load_bundle()), Camera(480, 360, fx=500.0))
    return Companion(navigator, (ticks,))


class Ticks:
    """What a publisher is told."""

    def __init__(self):
        self.times = []
        self.heard = []

    def hear(self, event):
        self.heard.append(event)

    def act(self, now_ns, estimate, gnss):
        self.times.append(now_ns)


def gnss(seconds):
    return Gnss(START_NS + round(seconds * 1e9), *SOUTH_WEST, sigma_m=2.0)


def test_ten_ticks_a_second_of_the_log(pack, companion, ticks):
    events = [gnss(0), gnss(0.55), gnss(2)]
    driven = drive(events, companion, pack)
    assert ticks.heard == events
    assert ticks.times == [START_NS + i * SECOND_NS // 10 for i in range(1, 21)]
    assert [t.time_ns for t in driven.ticks] == ticks.times
    # A receiver is believed after a second, at the next report.
    assert [t.has_position for t in driven.ticks] == [False] * 20
    assert companion.navigator.estimate_at(START_NS + 2 * SECOND_NS) is not None


def test_a_hole_in_the_log_is_not_filled(pack, companion):
    driven = drive([gnss(0), gnss(2), gnss(30 * 86_400)], companion, pack)
    assert len(driven.ticks) == 20 + 10 * HOLE_NS // SECOND_NS
    first = driven.ticks[20].estimate
    assert first is not None and first.carried_by_gnss
    assert first.mode is Mode.COASTING
    assert not driven.ticks[-1].has_position


def test_a_frame_that_comes_late_is_refused_and_time_does_not_run_backwards(pack, companion):
    picture = np.full((360, 480, 3), 90, np.uint8)
    names = []
    driven = drive(
        [
            gnss(0),
            Frame(START_NS + SECOND_NS, picture, "a.jpg"),
            Frame(START_NS, picture, "late.jpg"),
            Frame(START_NS + SECOND_NS, None, "double.jpg"),
            gnss(2),
        ],
        companion,
        pack,
        on_frame=lambda record: names.append(record.result.frame_name),
    )
    times = [t.time_ns for t in driven.ticks]
    assert times == sorted(set(times))
    assert names == ["a.jpg", "late.jpg", "double.jpg"]
    reasons = [f.result.refusal.reason for f in driven.frames if f.result.refusal]
    assert reasons == [Reason.NO_ATTITUDE, Reason.OUT_OF_ORDER, Reason.DUPLICATE_TIME]


def test_the_record_scores_against_the_truth(pack, companion):
    driven = drive([gnss(0), Frame(START_NS, None, "a.jpg"), gnss(1)], companion, pack)
    truth = track_of([(START_NS, *SOUTH_WEST), (START_NS + SECOND_NS, *SOUTH_WEST)])
    record = run_record("a run", driven, truth, notes=("said",))
    assert [s.reason for s in record.scores] == ["bad_picture"]
    assert (record.truth, record.notes, record.messages_sent) == (truth, ("said",), 0)
