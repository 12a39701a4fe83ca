"""The unit that `pilotage service` prints, judged by systemd itself where it is installed."""

import getpass
import re
import shutil
import subprocess

import pytest

from onboard.errors import InputError
from tools.cli import main
from tools.service import unit_text

MAX_EXPOSURE = 2.0


@pytest.fixture
def flight(tmp_path):
    path = tmp_path / "flight one.toml"
    path.write_text('map = "area.pack"\n[recording]\nfolder = "re%cordings"\n')
    return path


def test_nothing_is_left_to_fill_in(flight, capsys):
    assert main(["service", str(flight)]) == 0
    text = capsys.readouterr().out
    assert not re.search(r"@[A-Z_]+@", text)
    assert f'run "{flight}"' in text
    assert "re%%cordings" in text
    assert f"User={getpass.getuser()}" in text


def test_a_user_who_is_not_there_is_told(flight):
    with pytest.raises(InputError, match="no user 'nobody-at-all'"):
        unit_text(flight, "nobody-at-all")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="apt-get install systemd")
def test_systemd_finds_it_hardened_and_sound(flight, tmp_path):
    unit = tmp_path / "pilotage.service"
    unit.write_text(unit_text(flight, getpass.getuser()))
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
    )
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", judged.stdout)
    assert exposure, judged.stderr
    assert float(exposure.group(1)) <= MAX_EXPOSURE
    verified = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True
    )
    complaints = [line for line in verified.stderr.splitlines() if "pilotage.service" in line]
    assert not complaints
