"""The exceptions that are raised on purpose; their messages are for a person to read."""


class InputError(Exception):
    """Something the user gave is wrong. The message is one sentence that says what is
    wrong, where (file, line, key) and what to do; the command line prints it and exits 2."""


class BackendError(Exception):
    """A device failed while it worked: out of memory, a failed kernel, a lost GPU. The message
    is one clause. The process lives, and other backends can go on."""
