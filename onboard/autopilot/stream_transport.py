"""MAVLink over a byte stream: a TCP connection or a serial port, taken up again when lost."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import termios
import threading
import time
from abc import ABC, abstractmethod
from collections import deque

RETRY_S = 1.0  # between tries to open what is not there
CONNECT_WITHIN_S = 3.0
ANSWER_WITHIN_S = 3.0  # TCP: unanswered bytes or probes for this long mean a broken cable
READ_BYTES = 65_536
SEND_BUFFER_BYTES = 4096  # some 40 messages, 0.7 s at 57600 baud: what is older is worth nothing
BITS_PER_BYTE = 10  # on a serial line: start, eight, stop


class StreamTransport(ABC):
    """See `transport.Transport`. What can't be written at once waits in a small buffer that
    pushes out its oldest whole messages."""

    bytes_per_s: float | None = None

    def __init__(self) -> None:
        self.dropped = 0
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._connected = False
        self._retry_s = 0.0
        self._give_up_s = 0.0
        self._waiting: deque[bytes] = deque()
        self._written = 0  # bytes of the first one waiting

    @abstractmethod
    def _begin(self) -> int:
        """A descriptor that does not block and will be writable once connected. OSError."""

    @abstractmethod
    def _check(self) -> None:
        """Called when it is writable: raises OSError when the connection failed."""

    @abstractmethod
    def _end(self) -> None:
        """Closes what `_begin` opened."""

    @property
    def is_open(self) -> bool:
        return self._connected

    def send(self, data: bytes) -> None:
        with self._lock:
            if not self._connected:
                self.dropped += 1
                return
            self._waiting.append(data)
            self._flush()
            while sum(map(len, self._waiting)) - self._written > SEND_BUFFER_BYTES:
                oldest = 1 if self._written else 0  # the rest of a message must go out
                if oldest >= len(self._waiting):
                    break
                del self._waiting[oldest]
                self.dropped += 1

    def receive(self, timeout_s: float) -> bytes:
        with self._lock:
            now_s = time.monotonic()
            if self._descriptor is None and now_s >= self._retry_s:
                self._open(now_s)
            descriptor, connected = self._descriptor, self._connected
            writes = bool(self._waiting) or not connected
        if descriptor is None:
            time.sleep(max(0.0, min(timeout_s, self._retry_s - now_s)))
            return b""
        poll = select.poll()
        poll.register(
            descriptor, (select.POLLIN if connected else 0) | (select.POLLOUT if writes else 0)
        )
        ready = poll.poll(max(0.0, timeout_s) * 1000.0)
        with self._lock:
            if descriptor != self._descriptor:
                return b""  # the sender found it broken
            return self._serve(ready[0][1] if ready else 0)

    def answer_sender(self) -> None:  # noqa: B027
        """There is only one."""

    def close(self) -> None:
        with self._lock:
            self._lose()
            self._retry_s = float("inf")

    def _open(self, now_s: float) -> None:
        self._retry_s, self._give_up_s = now_s + RETRY_S, now_s + CONNECT_WITHIN_S
        with contextlib.suppress(OSError):
            self._descriptor = self._begin()

    def _serve(self, happened: int) -> bytes:
        assert self._descriptor is not None
        try:
            if not self._connected:
                if happened:
                    self._check()
                    self._connected = True
                elif time.monotonic() > self._give_up_s:
                    self._lose()
                return b""
            if happened & select.POLLOUT:
                self._flush()
            if happened & (select.POLLIN | select.POLLHUP | select.POLLERR):
                data = os.read(self._descriptor, READ_BYTES)
                if not data:
                    raise OSError(errno.EPIPE, "the other side hung up")
                return data
        except BlockingIOError:
            pass
        except OSError:
            self._lose()
        return b""

    def _flush(self) -> None:
        try:
            while self._waiting and self._descriptor is not None:
                rest = memoryview(self._waiting[0])[self._written :]
                self._written += os.write(self._descriptor, rest)
                if self._written == len(self._waiting[0]):
                    self._waiting.popleft()
                    self._written = 0
        except BlockingIOError:
            pass
        except OSError:
            self._lose()

    def _lose(self) -> None:
        self.dropped += len(self._waiting)
        self._waiting.clear()
        self._written = 0
        self._connected = False
        if self._descriptor is not None:
            self._descriptor = None
            with contextlib.suppress(OSError):
                self._end()


class TcpTransport(StreamTransport):
    """A client. The host's address was looked up before: a name server can make one wait."""

    def __init__(self, host: str, port: int, must_answer: bool) -> None:
        """Raises OSError where must_answer and nobody takes the connection in time."""
        super().__init__()
        self._peer = (host, port)
        if must_answer:
            self._socket = socket.create_connection(self._peer, CONNECT_WITHIN_S)
            self._set_up()
            self._descriptor, self._connected = self._socket.fileno(), True
        else:
            self.receive(0.0)  # so that what is sent next may go out

    def _begin(self) -> int:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._set_up()
        failed = self._socket.connect_ex(self._peer)
        if failed not in (0, errno.EINPROGRESS):
            self._socket.close()
            raise OSError(failed, os.strerror(failed))
        return self._socket.fileno()

    def _set_up(self) -> None:
        """A stopped process still answers by its system: only a broken way times out."""
        tcp, seconds = socket.IPPROTO_TCP, int(ANSWER_WITHIN_S)
        self._socket.setblocking(False)
        self._socket.setsockopt(tcp, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._socket.setsockopt(tcp, socket.TCP_KEEPIDLE, 1)
        self._socket.setsockopt(tcp, socket.TCP_KEEPINTVL, 1)
        self._socket.setsockopt(tcp, socket.TCP_KEEPCNT, seconds)
        self._socket.setsockopt(tcp, socket.TCP_USER_TIMEOUT, seconds * 1000)

    def _check(self) -> None:
        failed = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if not failed and self._socket.getsockname() == self._peer:
            failed = errno.ECONNREFUSED  # a free local port can be given to its own caller
        if failed:
            raise OSError(failed, os.strerror(failed))

    def _end(self) -> None:
        self._socket.close()


class SerialTransport(StreamTransport):
    """A serial device, locked against other programs; it may vanish and come back."""

    def __init__(self, device: str, baud: int) -> None:
        """Raises OSError: cannot be opened; ModuleNotFoundError: no pyserial."""
        super().__init__()
        import serial

        self.bytes_per_s = baud / BITS_PER_BYTE
        self._port = serial.Serial()
        self._port.port = device
        self._port.baudrate = baud
        self._port.timeout = 0
        self._port.write_timeout = 0
        self._port.exclusive = True
        self._descriptor = self._begin()
        self._connected = True

    def _begin(self) -> int:
        try:
            self._port.open()
        except (ValueError, termios.error) as e:  # a rate that it can't do; gone meanwhile
            raise OSError(errno.EINVAL, str(e)) from e
        descriptor = int(self._port.fileno())
        os.set_blocking(descriptor, False)
        return descriptor

    def _check(self) -> None:
        """It was opened whole."""

    def _end(self) -> None:
        self._port.close()
