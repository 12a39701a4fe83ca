"""`pilotage service`: prints the systemd unit for this machine."""

from __future__ import annotations

import argparse
import getpass
import grp
import pwd
import shutil
import sys
from importlib.resources import files
from pathlib import Path

from onboard.errors import InputError
from onboard.flight_settings import FlightSettings
from onboard.settings import load_settings

HELP = (
    "Prints a systemd unit that runs a flight on this machine, restarts it and watches over it. "
    "Install it with: pilotage service FLIGHT.toml | sudo tee "
    "/etc/systemd/system/pilotage.service, then sudo systemctl daemon-reload and "
    "sudo systemctl enable --now pilotage"
)
TEMPLATE = "pilotage.service"
GROUPS = ("video", "dialout", "render", "plugdev")  # cameras, serial ports, GPU
SYSTEM_STATE = Path("/var/lib")
HOMES = (Path("/home"), Path("/root"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("flight", type=Path, help="settings file of the flight")
    parser.add_argument("--user", default=None, help="whom to run as (default: you)")


def run(args: argparse.Namespace) -> int:
    print(unit_text(args.flight, args.user or getpass.getuser()), end="")
    return 0


def unit_text(flight: Path, user: str) -> str:
    """Raises InputError: the settings file can't be read, a path that a unit can't hold."""
    settings = load_settings(flight, FlightSettings)
    flight = flight.resolve()
    pilotage = [str(Path(shutil.which("pilotage") or sys.executable).absolute())]
    if Path(pilotage[0]).name != "pilotage":
        pilotage += ["-m", "tools.cli"]
    recordings = settings.recording.folder
    folder = flight.parent / recordings if recordings is not None else None
    paths = [flight, Path(pilotage[0]), *([folder] if folder else [])]
    state = _state_home(user)
    paths.append(state)
    at_home = any(path.is_relative_to(home) for path in paths for home in HOMES)
    values = {
        "PILOTAGE": " ".join(map(_quoted, pilotage)),
        "FLIGHT": _quoted(str(flight)),
        "USER": user,
        "GROUPS": " ".join(_known_groups()),
        "STATE": _quoted(str(state)),
        "STATE_FOLDER": _quoted(f"-{state}/pilotage"),
        "RECORDINGS": _quoted(f"-{folder}") if folder else "",
        "PROTECT_HOME": "read-only" if at_home else "yes",
    }
    text = files("onboard.runtime").joinpath(TEMPLATE).read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def _state_home(user: str) -> Path:
    """Where the user's own runs keep their state, too; else systemd's StateDirectory."""
    try:
        home = Path(pwd.getpwnam(user).pw_dir)
    except KeyError as e:
        raise InputError(f"no user '{user}' on this machine; make one, or give --user") from e
    return home / ".local" / "state" if home.is_dir() else SYSTEM_STATE


def _known_groups() -> list[str]:
    """systemd refuses to start a unit with a group that isn't there."""
    known = {group.gr_name for group in grp.getgrall()}
    return [group for group in GROUPS if group in known]


def _quoted(text: str) -> str:
    """As systemd reads it: `%` begins a specifier, `$` a variable."""
    if any(ord(c) < 32 for c in text):
        raise InputError(f"{text!r}: a unit can't hold this path; move it")
    text = text.replace("%", "%%").replace("$", "$$")
    if any(c in text for c in " \"'\\;"):
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return text
