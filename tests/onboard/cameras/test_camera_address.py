import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboard.cameras import open_camera
from onboard.cameras.address import Kind, parse_address
from onboard.cameras.gstreamer import has_gstreamer, pipeline_of
from onboard.errors import InputError


def test_each_kind_is_known_by_its_address(tmp_path):
    (tmp_path / "a?b.mp4").write_bytes(b"")
    expected = {
        "/dev/video2": (Kind.V4L2, "/dev/video2"),
        "v4l2:3": (Kind.V4L2, "/dev/video3"),
        "v4l2:/dev/v4l/by-id/usb-cam": (Kind.V4L2, "/dev/v4l/by-id/usb-cam"),
        "csi:1": (Kind.CSI, "1"),
        "gst:videotestsrc ! appsink": (Kind.GSTREAMER, "videotestsrc ! appsink"),
        "rtsp://10.0.0.5/live?channel=1": (Kind.STREAM, "rtsp://10.0.0.5/live?channel=1"),
        "udp://0.0.0.0:5600": (Kind.STREAM, "udp://0.0.0.0:5600"),
        str(tmp_path): (Kind.FOLDER, str(tmp_path)),
        f"file:{tmp_path}/a?b.mp4": (Kind.VIDEO_FILE, f"{tmp_path}/a?b.mp4"),
    }
    for text, (kind, target) in expected.items():
        address = parse_address(text)
        assert (address.kind, address.target) == (kind, target)


def test_options_are_read_and_a_streams_own_query_is_left_alone(tmp_path):
    address = parse_address("/dev/video0?width=1280&height=720&fps=30&fourcc=MJPG&latency_ms=40")
    assert address.numbers == {"width": 1280, "height": 720, "fps": 30, "latency_ms": 40}
    assert address.words == {"fourcc": "MJPG"}
    stream = parse_address("rtsp://10.0.0.5/live?channel=1#transport=udp&latency_ms=200")
    assert stream.target == "rtsp://10.0.0.5/live?channel=1"
    assert stream.words == {"transport": "udp"}
    assert parse_address(f"{tmp_path}?fps=2&speed=0").numbers == {"fps": 2, "speed": 0}


def test_a_password_is_not_in_the_name():
    address = parse_address("rtsp://pilot:secret@10.0.0.5/live")
    assert "secret" in address.target
    assert "secret" not in address.name
    with pytest.raises(InputError) as told:
        parse_address("rtsp://pilot:secret@10.0.0.5:70000/live")
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names none"),
        ("two\nlines", "names none"),
        ("sim:", "pilotage sim"),
        ("csi:left", "no sensor number"),
        ("gst:  ", "no pipeline"),
        ("v4l2:video0", "is no device"),
        ("udp://0.0.0.0", "names no port"),
        ("rtsp:///stream", "names no host"),
        ("/dev/video0?widht=640", "did you mean 'width'"),
        ("/dev/video0?width=nan", "from 16 to 16384"),
        ("/dev/video0?fourcc=MJ", "fourcc is 'MJ'"),
        ("no such file.mp4", "no such file, folder or device"),
        ("x" * 5000, "no such file, folder or device"),
    ],
)
def test_a_wrong_address_is_one_sentence(text, says):
    with pytest.raises(InputError, match=says) as told:
        parse_address(text)
    assert "\n" not in str(told.value)


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_one_error(text):
    for scheme in ("", "v4l2:", "csi:", "gst:", "rtsp://", "udp://", "/dev/video0?", "file:"):
        try:
            parse_address(scheme + text)
        except InputError as e:
            assert "\n" not in str(e)


def test_a_csi_camera_becomes_a_jetson_pipeline():
    pipeline = pipeline_of(parse_address("csi:1?width=1280&height=720&fps=60&flip=2"))
    assert pipeline.startswith("nvarguscamerasrc sensor-id=1 ! ")
    assert "width=1280,height=720,framerate=60/1" in pipeline
    assert "flip-method=2" in pipeline
    assert pipeline.endswith("appsink drop=true max-buffers=1 sync=false")


def test_a_pipeline_keeps_its_own_sink():
    assert pipeline_of(parse_address("gst:videotestsrc ! appsink")) == "videotestsrc ! appsink"
    assert "format=BGR ! appsink" in pipeline_of(parse_address("gst:videotestsrc"))


@pytest.mark.skipif(has_gstreamer(), reason="this OpenCV has GStreamer")
def test_without_gstreamer_a_pipeline_is_refused_with_what_to_do():
    with pytest.raises(InputError, match="without GStreamer; remove the pip wheel"):
        open_camera("csi:0", 5.0)
