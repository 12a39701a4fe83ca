"""Keeps libraries from printing their own complaints about a damaged log, line after line, and a
damaged log's bytes out of the sentence about it."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator

MOST_SAID = 120  # characters of a library's own words


def said(error: Exception) -> str:
    """What a library raised, in one line of letters that can be printed."""
    words = " ".join(str(error).split()) or type(error).__name__
    return "".join(c if c.isprintable() else "?" for c in words)[:MOST_SAID]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing that is printed inside is seen, by parts written in C neither; exceptions pass."""
    with contextlib.ExitStack() as stack:
        for number in (1, 2):  # standard output and error of the process
            _silence(number, stack)
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        yield


def _silence(number: int, stack: contextlib.ExitStack) -> None:
    """Until the stack closes; what was closed from the start stays so."""
    try:
        before = os.dup(number)
    except OSError:
        return
    stack.callback(os.close, before)
    stack.callback(os.dup2, before, number)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    stack.callback(os.close, nowhere)
    os.dup2(nowhere, number)
