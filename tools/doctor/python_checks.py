"""Python, and the packages that fly."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata

from tools.doctor.check import Check, Finding, NotAsked, failure, good, warning
from tools.doctor.subject import Subject

OLDEST, NEWEST = (3, 10), (3, 12)  # hnswlib and TensorRT are had for these
LEAST = {  # as pyproject.toml has them; a test compares
    "numpy": "1.24",
    "onnxruntime": "1.17",
    "hnswlib": "0.8",
    "pymavlink": "2.4.41",
    "pyproj": "3.6",
    "pyserial": "3.5",
    "pynmea2": "1.19",
    "mcap": "1.6",
}
LEAST_OPENCV, TOO_NEW_OPENCV = "4.9", "5"
POSITION_SENSOR_SINCE = "2.4.50"  # of pymavlink: GLOBAL_POSITION_SENSOR (#296)
OPENCVS = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
ONNXRUNTIMES = ("onnxruntime", "onnxruntime-gpu")
TRIAL_S = 8.0
INDEX_TRIAL = (  # an index as a map pack has one
    "import hnswlib, numpy as n; v = n.eye(64, 32, dtype='float32');"
    "i = hnswlib.Index('cosine', 32); i.init_index(64); i.add_items(v); i.knn_query(v[:1], 3)"
)
ILLEGAL_INSTRUCTION = -4  # SIGILL


def python_version(_: Subject) -> Finding:
    version = sys.version_info[:2]
    said = f"Python {sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    if version < OLDEST:
        return failure(f"{said} is too old", "install Python 3.10 to 3.12 and Pilotage in it")
    if version > NEWEST:
        return warning(f"{said} is newer than what was tried", "use Python 3.10 to 3.12")
    return good(said)


def packages(_: Subject) -> list[Finding]:
    """Each package that flies, with its version."""
    return [_package(name, least) for name, least in LEAST.items()]


def pilotage(_: Subject) -> Finding:
    found = version_of("pilotage")
    if found is None:
        return warning("Pilotage runs from a folder and is not installed", "pip install -e .")
    return good(f"Pilotage {found}")


def one_opencv(_: Subject) -> Finding:
    found = [name for name in OPENCVS if version_of(name)]
    if len(found) > 1:
        return failure(
            f"{' and '.join(found)} are both installed, each shadows the other",
            f"pip uninstall -y {' '.join(found)} && pip install -e '.[opencv]'",
        )
    try:
        import cv2
    except ImportError as e:
        return failure(f"OpenCV can't be imported ({e})", "pip install -e '.[opencv]'")
    where = found[0] if found else "the system's own"
    version = str(cv2.__version__)
    if numbers(version) < numbers(LEAST_OPENCV) or numbers(version) >= numbers(TOO_NEW_OPENCV):
        return failure(
            f"OpenCV {version} ({where}) is not between {LEAST_OPENCV} and {TOO_NEW_OPENCV}",
            "pip install 'opencv-python-headless>=4.9,<5'",
        )
    return good(f"OpenCV {version} ({where})")


def gstreamer(subject: Subject) -> Finding:
    """CSI cameras and pipelines need it; no wheel has it."""
    from onboard.cameras.gstreamer import has_gstreamer

    camera = "" if subject.settings_path is None else subject.settings.needed().camera
    needed = camera.startswith(("csi:", "gst:"))
    if has_gstreamer():
        return good("OpenCV has GStreamer")
    if needed:
        return failure(
            f"OpenCV has no GStreamer, which camera = '{camera}' needs",
            "pip uninstall the opencv wheels and use the system's python3-opencv, in a virtual "
            "environment with --system-site-packages",
        )
    return good("OpenCV has no GStreamer, and nothing needs it")


def one_onnxruntime(_: Subject) -> Finding:
    found = [name for name in ONNXRUNTIMES if version_of(name)]
    if len(found) > 1:
        return failure(
            f"{' and '.join(found)} are both installed, each shadows the other",
            "pip uninstall -y onnxruntime onnxruntime-gpu && pip install the one that is wanted",
        )
    try:
        import onnxruntime

        providers = ", ".join(
            p.removesuffix("ExecutionProvider") for p in onnxruntime.get_available_providers()
        )
    except (ImportError, AttributeError) as e:
        return failure(f"ONNX Runtime can't be imported ({e})", "pip install onnxruntime")
    return good(f"ONNX Runtime runs on {providers}")


def hnswlib_runs(_: Subject) -> Finding:
    """Its wheel is built for the machine that built it; on another it may be an illegal
    instruction, which would end the flight: so tried in a process of its own."""
    command = [sys.executable, "-c", INDEX_TRIAL]
    try:
        tried = subprocess.run(command, capture_output=True, timeout=TRIAL_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as e:
        return failure(f"hnswlib could not be tried ({type(e).__name__})", "run the doctor again")
    rebuild = (
        "HNSWLIB_NO_NATIVE=1 pip install --force-reinstall --no-binary hnswlib --no-deps hnswlib"
    )
    if tried.returncode == ILLEGAL_INSTRUCTION:
        return failure("hnswlib was built for another processor and crashes on this one", rebuild)
    if tried.returncode:
        last = (tried.stderr.decode("utf-8", "replace").strip().splitlines() or ["no word"])[-1]
        return failure(f"hnswlib does not work: {last}", rebuild)
    return good("hnswlib builds and searches an index")


def position_sensor(subject: Subject) -> Finding:
    """PX4's message is in new pymavlinks only."""
    outputs = [output.value for output in subject.settings.needed().publish.outputs]
    if "global_position" not in outputs:
        raise NotAsked("outputs do not hold global_position")
    found = version_of("pymavlink") or "0"
    if numbers(found) < numbers(POSITION_SENSOR_SINCE):
        return failure(
            f"pymavlink {found} does not know GLOBAL_POSITION_SENSOR (#296)",
            f"pip install 'pymavlink>={POSITION_SENSOR_SINCE}'",
        )
    return good(f"pymavlink {found} knows GLOBAL_POSITION_SENSOR (#296)")


def version_of(name: str) -> str | None:
    """None: not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def numbers(version: str) -> tuple[int, ...]:
    """(1, 24, 2) of '1.24.2rc1'."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(n) for n in found.group().split(".")) if found else ()


def _package(name: str, least: str) -> Finding:
    found = version_of(name)
    if found is None and name == "onnxruntime":
        found = version_of("onnxruntime-gpu")
    if found is None:
        return failure(f"{name} is not installed", f"pip install '{name}>={least}'", name)
    if numbers(found) < numbers(least):
        said = f"{name} {found} is older than {least}"
        return failure(said, f"pip install '{name}>={least}'", name)
    return good(f"{name} {found}", name)


CHECKS = (
    Check("python.version", python_version),
    Check("python.pilotage", pilotage),
    Check("package", packages),
    Check("package.opencv", one_opencv),
    Check("package.gstreamer", gstreamer),
    Check("package.onnxruntime.one", one_onnxruntime),
    Check("package.hnswlib.runs", hnswlib_runs),
    Check("package.pymavlink.296", position_sensor, of_flight=True),
)
