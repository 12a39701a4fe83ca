"""Package checks, both ways."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from onboard.settings import read_table
from tests.tools.doctor.ready_flight import found, named, outcome
from tools.doctor import python_checks
from tools.doctor.check import Outcome
from tools.doctor.run_checks import look
from tools.doctor.subject import Subject

PASS, WARN, FAIL, SKIP = Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.SKIP


def _install(monkeypatch: pytest.MonkeyPatch, versions: dict[str, str]) -> None:
    monkeypatch.setattr(python_checks, "version_of", versions.get)


def test_the_versions_are_those_of_the_project() -> None:
    project = read_table(Path(__file__).parents[3] / "pyproject.toml")["project"]
    wanted = dict(re.findall(r"([\w-]+)>=([\d.]+)", " ".join(project["dependencies"])))
    wanted.pop("tomli", None)
    assert wanted == python_checks.LEAST


@pytest.mark.parametrize(
    ("version", "expected"), [((3, 9), FAIL), ((3, 10), PASS), ((3, 12), PASS), ((3, 13), WARN)]
)
def test_python(
    version: tuple[int, int], expected: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Info(tuple):
        major, minor, micro = *version, 1

    monkeypatch.setattr(python_checks, "sys", SimpleNamespace(version_info=Info((*version, 1))))
    assert outcome(named(python_checks.CHECKS, "python.version"), Subject()) is expected


def test_packages_as_they_are_and_as_they_should_not_be(monkeypatch: pytest.MonkeyPatch) -> None:
    check = named(python_checks.CHECKS, "package")
    assert {f.outcome for f in look(check, Subject())} == {PASS}
    least = python_checks.LEAST
    _install(monkeypatch, {**least, "numpy": "1.23.9", "hnswlib": "0.8.0rc1"} | {"pyproj": ""})
    by_name = {f.part: f.outcome for f in look(check, Subject())}
    assert by_name["numpy"] is FAIL and by_name["hnswlib"] is PASS
    _install(monkeypatch, {k: v for k, v in least.items() if k != "onnxruntime"})
    by_name = {f.part: f.outcome for f in look(check, Subject())}
    assert by_name["onnxruntime"] is FAIL
    _install(monkeypatch, {**least, "onnxruntime-gpu": "1.20"} | {"onnxruntime": "1.9"})
    assert {f.part: f.outcome for f in look(check, Subject())}["onnxruntime"] is FAIL


def test_two_opencvs_or_two_onnxruntimes_shadow_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opencv = named(python_checks.CHECKS, "package.opencv")
    onnx = named(python_checks.CHECKS, "package.onnxruntime.one")
    assert outcome(opencv, Subject()) is PASS and outcome(onnx, Subject()) is PASS
    twice = (*python_checks.OPENCVS[:2], *python_checks.ONNXRUNTIMES)
    _install(monkeypatch, dict.fromkeys(twice, "4.9"))
    assert outcome(opencv, Subject()) is FAIL and outcome(onnx, Subject()) is FAIL


@pytest.mark.parametrize("version", ["4.8.1", "5.0.0", "3.4"])
def test_an_opencv_that_was_not_tried(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cv2.__version__", version)
    assert outcome(named(python_checks.CHECKS, "package.opencv"), Subject()) is FAIL


@pytest.mark.parametrize(
    ("camera", "has", "expected"),
    [("csi:0", False, FAIL), ("csi:0", True, PASS), ("/dev/video0", False, PASS)],
)
def test_gstreamer(
    tmp_path: Path, camera: str, has: bool, expected: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "flight.toml"
    path.write_text(f'camera = "{camera}"\n')
    monkeypatch.setattr("onboard.cameras.gstreamer.has_gstreamer", lambda: has)
    assert outcome(named(python_checks.CHECKS, "package.gstreamer"), Subject(path)) is expected


def test_an_index_of_another_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    check = named(python_checks.CHECKS, "package.hnswlib.runs")
    assert outcome(check, Subject()) is PASS
    crash = "import os, signal; os.kill(os.getpid(), signal.SIGILL)"
    monkeypatch.setattr(python_checks, "INDEX_TRIAL", crash)
    finding = found(check, Subject())
    assert finding.outcome is FAIL and "another processor" in finding.said
    assert "HNSWLIB_NO_NATIVE=1" in finding.mend
    monkeypatch.setattr(python_checks, "INDEX_TRIAL", "raise RuntimeError('no')")
    assert "RuntimeError: no" in found(check, Subject()).said


def test_a_trial_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_checks, "INDEX_TRIAL", "import time; time.sleep(60)")
    monkeypatch.setattr(python_checks, "TRIAL_S", 0.3)
    assert outcome(named(python_checks.CHECKS, "package.hnswlib.runs"), Subject()) is FAIL


def test_px4s_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = named(python_checks.CHECKS, "package.pymavlink.296")
    path = tmp_path / "flight.toml"
    path.write_text("")
    assert outcome(check, Subject(path)) is SKIP
    path.write_text('[publish]\noutputs = ["global_position"]\n')
    _install(monkeypatch, {"pymavlink": "2.4.50"})
    assert outcome(check, Subject(path)) is PASS
    _install(monkeypatch, {"pymavlink": "2.4.49"})
    assert outcome(check, Subject(path)) is FAIL


def test_the_project_itself() -> None:
    assert outcome(named(python_checks.CHECKS, "python.pilotage"), Subject()) is PASS


def test_the_trial_is_a_program() -> None:
    assert subprocess.run([sys.executable, "-c", python_checks.INDEX_TRIAL]).returncode == 0


@pytest.mark.parametrize(
    ("text", "numbers"), [("1.24.2rc1", (1, 24, 2)), ("4", (4,)), ("", ()), ("x1", ())]
)
def test_versions(text: str, numbers: tuple[int, ...]) -> None:
    assert python_checks.numbers(text) == numbers
