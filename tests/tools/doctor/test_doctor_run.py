"""The doctor as a whole: it answers in time whatever is broken, and says it to programs, too."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from onboard.errors import InputError
from tests.tools.doctor.ready_flight import write_ready_flight
from tests.tools.small_area import SmallArea
from tools import cli
from tools.doctor import command
from tools.doctor.check import Check, Finding, NotAsked, Outcome, failure, good, warning
from tools.doctor.report import as_text
from tools.doctor.run_checks import passed, run_checks
from tools.doctor.subject import Subject


def _raises(error: Exception) -> Check:
    def look(_: Subject) -> Finding:
        raise error

    return Check("a.check", look)


@pytest.mark.parametrize(
    ("check", "outcome", "said", "mend"),
    [
        (Check("a.b", lambda _: good("well")), Outcome.PASS, "well", ""),
        (Check("a.b", lambda _: warning("so so", "do")), Outcome.WARN, "so so", "do"),
        (_raises(InputError("f: is bad; get it again")), Outcome.FAIL, "f: is bad", "get it again"),
        (_raises(NotAsked("no file")), Outcome.SKIP, "no file", ""),
        (_raises(ZeroDivisionError("by\nzero")), Outcome.FAIL,
         "the check itself failed: ZeroDivisionError: by zero", "report this"),
    ],
)  # fmt: skip
def test_whatever_a_check_does_is_a_finding(
    check: Check, outcome: Outcome, said: str, mend: str
) -> None:
    (result,) = run_checks([check], Subject())
    (finding,) = result.findings
    assert (finding.outcome, finding.said) == (outcome, said)
    assert finding.mend.startswith(mend)
    assert passed([result]) is (outcome is not Outcome.FAIL)


def test_a_check_that_hangs_fails_and_holds_up_nobody() -> None:
    def hang(_: Subject) -> Finding:
        time.sleep(30)
        return good("too late")

    began_s = time.monotonic()
    late, quick = run_checks([Check("a", hang), Check("b", lambda _: good("x"))], Subject(), 0.5)
    assert time.monotonic() - began_s < 3
    assert late.findings[0].outcome is Outcome.FAIL and "within" in late.findings[0].said
    assert quick.findings[0].outcome is Outcome.PASS


def test_a_machine_alone(capsys: pytest.CaptureFixture[str]) -> None:
    status = cli.main(["doctor", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == 1 and told["passed"] is (status == 0)
    assert set(told["counts"]) == {"pass", "warn", "fail", "skip"}
    assert sum(told["counts"].values()) == len(told["checks"]) >= 25
    for check in told["checks"]:
        assert set(check) == {"name", "outcome", "said", "mend", "seconds"}
        assert "itself failed" not in check["said"]
        assert check["mend"] or check["outcome"] in ("pass", "skip"), check
    assert len({c["name"] for c in told["checks"]}) == len(told["checks"])


def test_a_ready_flight_is_fit_but_for_its_link(
    tmp_path: Path, small_area: SmallArea, capsys: pytest.CaptureFixture[str]
) -> None:
    flight = write_ready_flight(tmp_path, small_area, '[link]\naddress = "tcp:127.0.0.1:9"\n')
    began_s = time.monotonic()
    assert cli.main(["doctor", str(flight), "--json"]) == 1
    assert time.monotonic() - began_s < 20
    told = json.loads(capsys.readouterr().out)
    failed = [c["name"] for c in told["checks"] if c["outcome"] == "fail"]
    assert len(told["checks"]) >= 30
    assert set(failed) <= {"link.opens", "link.heartbeat"} and failed
    names = {c["name"]: c["outcome"] for c in told["checks"]}
    assert names["map.hashes"] == names["model.self_test"] == names["camera.opens"] == "pass"


@pytest.mark.parametrize(
    "settings",
    ["", "map = 3", "nonsense", '[link]\naddress = "nowhere"\n',
     'map = "no.pack"\ncamera = "/dev/video99"\ncamera_file = "no.toml"\n'
     '[link]\naddress = "/dev/ttyNONE"\nsigning_key_file = "none"\n'
     '[recording]\nfolder = "/proc/no"\n[web]\naddress = "300.1.1.1:1"\n',
     'map = "flight.toml"\ncamera = "flight.toml"\ncamera_file = "flight.toml"\n'],
)  # fmt: skip
def test_everything_missing_is_said_and_not_raised(
    tmp_path: Path, settings: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "flight.toml"
    path.write_text(settings)
    assert cli.main(["doctor", str(path)]) == 1
    out = capsys.readouterr()
    assert "itself failed" not in out.out and "Traceback" not in out.out + out.err
    assert "NOT fit to fly" in out.out and "->" in out.out


def test_a_settings_file_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["doctor", str(tmp_path / "none.toml")]) == 1
    assert "cannot be read" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        ([good("a")], "fit to fly"),
        ([good("a"), warning("b", "do")], "fit to fly, except: check.1"),
        ([warning("a", "do"), failure("b", "do")], "NOT fit to fly: check.1"),
    ],
)
def test_the_verdict_names_what_speaks_against_it(findings: list[Finding], verdict: str) -> None:
    def check(number: int) -> Check:
        return Check(f"check.{number}", lambda _: findings[number])

    results = run_checks([check(i) for i in range(len(findings))], Subject())
    assert as_text(results, 1.0).splitlines()[-1] == verdict


def test_text_names_every_finding_once() -> None:
    checks = command.wanted_checks(Subject())
    assert all(not c.of_flight for c in checks)
    everything = command.wanted_checks(Subject(Path("x.toml")))
    assert len({c.name for c in everything}) == len(everything) >= 45


@pytest.mark.parametrize("missing", ["cv2", "onnxruntime", "hnswlib", "pymavlink", "numpy"])
def test_a_missing_package_is_a_finding(missing: str, tmp_path: Path) -> None:
    """As on a machine where it was never installed."""
    program = (
        f"import sys; sys.modules[{missing!r}] = None; from tools import cli; "
        "sys.exit(cli.main(['doctor', 'flight.toml', '--link', 'tcp:127.0.0.1:1', '--json']))"
    )
    (tmp_path / "flight.toml").write_text('map = "a"\n')
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 1 and "Traceback" not in ran.stderr, ran.stderr
    told = json.loads(ran.stdout)
    assert any(missing in c["said"] for c in told["checks"] if c["outcome"] == "fail")
    assert "python.version" in [c["name"] for c in told["checks"]]
