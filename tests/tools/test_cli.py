"""Whatever is wrong with a command line is one sentence and exit status 2."""

import subprocess
import sys

import pytest

from tools.cli import COMMANDS, main


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("bogus", "no command 'bogus'"),
        ("map bogus", "no command 'map bogus'"),
        ("replay photos", "--map"),
        ("replay photos --map a.pack --bogus", "--bogus"),
        ("replay photos --map a.pack --agl-m nan", "--agl-m"),
        ("replay photos --map a.pack --gnss-lost-after 20x", "20x"),
        ("evaluate photos --map a.pack --prior-sigma-m 1e300", "--prior-sigma-m"),
        ("demo --seconds long", "--seconds"),
    ],
)
def test_a_wrong_line_is_one_sentence(line, said, capsys):
    assert main(line.split()) == 2
    out, err = capsys.readouterr()
    assert said in err and err.count("\n") == 1 and out == ""


@pytest.mark.parametrize("line", ["", "--help", "help"])
def test_help_names_every_command(line, capsys):
    assert main(line.split()) == 0
    out = capsys.readouterr().out
    assert all(f"pilotage {name}\n" in out for name in COMMANDS)


@pytest.mark.parametrize("line", ["map", "map --help", "help map"])
def test_help_of_a_family_names_its_commands(line, capsys):
    assert main(line.split()) == 0
    out = capsys.readouterr().out
    assert "pilotage map build\n" in out and "pilotage sim" not in out


@pytest.mark.parametrize("line", ["", "sim --list"])
def test_nobody_reads_what_is_printed(line):
    """As behind `| head`: quiet, and with the status of a program that SIGPIPE ended."""
    command = [sys.executable, "-m", "tools.cli", *line.split()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
