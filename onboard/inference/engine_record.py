"""The engines that were built on this machine, kept outside the bundles, in the user's state
folder ($XDG_STATE_HOME/pilotage/engines.json): a bundle that was copied here can't bring an
engine along that was made elsewhere."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path

from onboard.errors import InputError
from onboard.inference.engine_stamp import EngineStamp
from onboard.settings import settings_from_table
from onboard.whole_file import make_folder, write_whole

FILE_NAME = "engines.json"


@dataclass(frozen=True)
class Built:
    """built_utc: ISO 8601 with microseconds; later texts are later builds."""

    stamp: EngineStamp
    built_utc: str


@dataclass(frozen=True)
class EngineRecord:
    """Newest last."""

    engines: tuple[Built, ...] = ()

    def find(self, engine_sha256: str) -> Built | None:
        return next((b for b in self.engines if b.stamp.engine_sha256 == engine_sha256), None)


def state_folder() -> Path:
    """Where this user's programs keep what must outlive a run (XDG base directories)."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "pilotage"


def record_path() -> Path:
    return state_folder() / FILE_NAME


def read_record() -> EngineRecord:
    """Empty when nothing was built here yet. Raises InputError: unreadable or damaged."""
    path = record_path()
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return EngineRecord()
    except OSError as e:
        raise InputError(f"{path}: cannot be read ({e.strerror}); make it readable") from e
    except ValueError as e:
        raise InputError(
            f"{path}: not valid JSON ({e}); delete it and build the engines again"
        ) from e
    if not isinstance(table, dict):
        raise InputError(f"{path}: not a record of engines; delete it and build them again")
    return settings_from_table(table, EngineRecord, str(path))


def add_to_record(built: Built) -> None:
    """Records an engine; an earlier one of the same hash is forgotten.

    Raises InputError: the record is damaged, or the folder can't be written.
    """
    kept = [b for b in read_record().engines if b.stamp.engine_sha256 != built.stamp.engine_sha256]
    record = EngineRecord((*kept, built))
    make_folder(state_folder())
    write_whole(record_path(), json.dumps(dataclasses.asdict(record), indent=1) + "\n")
