"""The signed map that was taken last since the machine started.

Expiry is for the take-off: a companion that starts anew in the air, past midnight or with a clock
that a spoofer moved, must fly on with the map it flew with. The record lies in memory (/run) and
counts only for this boot and this very signature, which vouches for every byte of the map.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from onboard.boot_id import boot_id
from onboard.errors import InputError
from onboard.pack.pack_signature import PackSignature
from onboard.whole_file import write_whole

FILE_NAME = "taken_map.json"


def keep_taken(path: Path, signature: PackSignature) -> None:
    """path: in a folder of this user alone that a reboot empties. Where it can't be written, the
    next start is judged as a take-off."""
    with contextlib.suppress(InputError):
        write_whole(path, json.dumps(_record(signature)))


def was_taken(path: Path, signature: PackSignature) -> bool:
    """Whether this very map is the one that was taken last since the machine started."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return bool(boot_id()) and record == _record(signature)


def _record(signature: PackSignature) -> dict[str, str]:
    return {"boot": boot_id(), "signature": signature.signature}
