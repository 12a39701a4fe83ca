"""What a takeover changes, on disk before anything is changed, so that a companion that died in
between can put it back."""

from __future__ import annotations

import contextlib
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path

from onboard.errors import InputError
from onboard.flight_settings import TakeoverMethod
from onboard.whole_file import write_whole

FORMAT = 1
KEYS = {
    TakeoverMethod.GPS_PRIMARY: {"GPS_PRIMARY", "GPS_AUTO_SWITCH"},
    TakeoverMethod.SOURCE_SET: {"source_set"},
}


@dataclass(frozen=True)
class Before:
    """What the autopilot had, by parameter name (or 'source_set')."""

    method: TakeoverMethod
    values: dict[str, float]


class TakeoverFile:
    """One small JSON file; there only while something may have been changed."""

    def __init__(self, path: Path, method: TakeoverMethod) -> None:
        """Raises InputError: a takeover by another method has not been given back."""
        self._path = path
        before = self.read()
        if before is not None and before.method is not method:
            back = ", ".join(f"{name} {value:g}" for name, value in before.values.items())
            raise InputError(
                f"{path}: a takeover by '{before.method.value}' was not given back; start once "
                f"with takeover.method '{before.method.value}', or set {back} on the autopilot "
                "and remove this file"
            )

    def read(self) -> Before | None:
        """None: there is none. Raises InputError: it can't be read, or isn't one."""
        try:
            text = self._path.read_text(encoding="utf-8")
            if not text:  # never written so by us: nothing was kept
                return None
            table = json.loads(text)
        except FileNotFoundError:
            return None
        except OSError as e:
            raise InputError(f"{self._path}: cannot be read ({e.strerror}); see to it") from e
        except ValueError as e:
            raise InputError(f"{self._path}: is no takeover file ({e}); remove it") from e
        try:
            if table["format"] != FORMAT:
                raise ValueError(f"format {table['format']}")
            method = TakeoverMethod(table["method"])
            values = {str(k): float(v) for k, v in table["before"].items()}
        except (KeyError, TypeError, AttributeError, ValueError) as e:
            raise InputError(f"{self._path}: is no takeover file ({e}); remove it") from e
        if set(values) != KEYS.get(method) or not all(map(math.isfinite, values.values())):
            raise InputError(
                f"{self._path}: is no takeover file (its values are others); remove it"
            )
        return Before(method, values)

    def write(self, before: Before) -> None:
        """On the disk when it returns. Raises InputError: it can't be written."""
        table = {"format": FORMAT, "method": before.method.value, "before": before.values}
        write_whole(self._path, json.dumps(table) + "\n")
        self._sync_folder()

    def remove(self) -> None:
        """What can't be removed stays; it then says what is so anyhow."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
            self._sync_folder()

    def _sync_folder(self) -> None:
        """The renaming itself must be on the disk, too."""
        with contextlib.suppress(OSError):
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
