"""The one exception a person is meant to read."""


class InputError(Exception):
    """Something the user gave is wrong. The message is one sentence that says what is
    wrong, where (file, line, key) and what to do; the command line prints it and exits 2."""
