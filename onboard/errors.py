"""The exceptions that are raised on purpose; their messages are for a person to read."""

from __future__ import annotations

import difflib
from collections.abc import Collection


class InputError(Exception):
    """Something the user gave is wrong. The message is one sentence that says what is
    wrong, where (file, line, key) and what to do; the command line prints it and exits 2."""


class BackendError(Exception):
    """A device failed while it worked: out of memory, a failed kernel, a lost GPU. The message
    is one clause. The process lives, and other backends can go on."""


def nearest_known(name: str, known: Collection[str]) -> str:
    """The end of a sentence about an unknown name: the nearest known one, or all of them."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}"
