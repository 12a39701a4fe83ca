"""What the settings file itself asks for: keys, secrets, ports, the recording's disk."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import time
from pathlib import Path

from onboard.autopilot.signing import read_key
from onboard.errors import InputError
from onboard.web.access import parse_address
from tools.doctor.check import Check, Finding, NotAsked, failure, good, warning
from tools.doctor.subject import Subject

GB = 1e9
# A journal of a flight takes about 1.5 GB an hour at 5 frames a second, lossless views included.
LEAST_FREE_GB = 2.0
WRITTEN_B = 32 << 20
LEAST_MB_S = 5.0  # ten times what a flight writes: the disk must not hold it up


def settings_file(subject: Subject) -> Finding:
    settings = subject.settings.get()
    missing = [
        name
        for name, value in (
            ("map", settings.map),
            ("camera", settings.camera),
            ("camera_file", settings.camera_file),
            ("[link] address", settings.link.address),
        )
        if not value
    ]
    if missing:
        return failure(
            f"{subject.settings_path} does not name {', '.join(missing)}",
            f"add {missing[0]} = ... to it",
        )
    return good(f"{subject.settings_path} names all that a flight needs")


def signing_key(subject: Subject) -> Finding:
    path = subject.file(subject.settings.needed().link.signing_key_file, "signing_key_file")
    read_key(path)
    return good(f"{path} holds a key, for its owner alone")


def web_port(subject: Subject) -> Finding:
    text = subject.settings.needed().web.address
    if not text:
        raise NotAsked("the status page is off")
    address = parse_address(text)
    family = socket.AF_INET6 if address.is_ipv6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except (OSError, UnicodeError) as e:
            reason = getattr(e, "strerror", None) or e
            return failure(
                f"{text} can't be had ({reason})", f"ss -ltnp | grep {address.port}; end it"
            )
    token = "" if address.is_loopback else ", behind a token"
    return good(f"the status page can have {text}{token}")


def recording_space(subject: Subject) -> Finding:
    folder, settings = _recording_folder(subject), subject.settings.needed()
    disk = shutil.disk_usage(folder)
    free_gb, wanted_gb = disk.free / GB, settings.recording.max_gb
    held_gb = sum(f.stat().st_size for f in folder.glob("*.mcap")) / GB
    said = f"{free_gb:.1f} GB are free on the recording's disk"
    if free_gb < LEAST_FREE_GB:
        return failure(f"{said}, an hour takes about {LEAST_FREE_GB:g}", f"free some of {folder}")
    if free_gb + held_gb < wanted_gb:
        return warning(
            f"{said}, less than max_gb = {wanted_gb:g} allows",
            f"free some, or max_gb = {0.9 * (free_gb + held_gb):.0f}",
        )
    return good(said)


def recording_speed(subject: Subject) -> Finding:
    """Written and synced as a recording is, then taken away."""
    folder = _recording_folder(subject)
    path = folder / f".doctor-{os.getpid()}"
    block = os.urandom(1 << 20)
    try:
        began_s = time.monotonic()
        with path.open("wb") as file:
            for _ in range(WRITTEN_B // len(block)):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        mb_s = WRITTEN_B / 1e6 / (time.monotonic() - began_s)
    except OSError as e:
        return failure(f"{folder} can't be written ({e.strerror})", f"sudo chown $USER {folder}")
    finally:
        with contextlib.suppress(OSError):  # a read-only disk refuses this, too
            path.unlink(missing_ok=True)
    said = f"the recording's disk takes {mb_s:.0f} MB/s"
    if mb_s < LEAST_MB_S:
        return warning(f"{said}, a flight may be held up", "use an SSD, or a faster card")
    return good(said)


def _recording_folder(subject: Subject) -> Path:
    """The folder, or what of its path there is already."""
    folder = subject.file(subject.settings.needed().recording.folder, "recording folder")
    place = next((p for p in (folder, *folder.parents) if p.exists()), Path())
    if not place.is_dir():
        raise InputError(f"{place} is no folder; give another one as [recording] folder")
    return place


CHECKS = (
    Check("settings.file", settings_file, of_flight=True),
    Check("settings.signing_key", signing_key, of_flight=True),
    Check("web.port", web_port, of_flight=True),
    Check("recording.space", recording_space, of_flight=True),
    Check("recording.speed", recording_speed, of_flight=True),
)
