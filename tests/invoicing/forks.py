"""Processes without their start: forked from one that has read the code and opened no database.

Half of what a command costs a test is to import Django and the rooms, the same each time. One process
by session does it and waits; each process asked for is its fork, with its own environment, its settings
read anew, its own connections, its exit code. It can be killed as any other and leaves its siblings
nothing.
"""

import atexit
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

LONGEST = 150_000  # bytes of what is asked: a program and an environment


class Forked:
    """A forked process, as `subprocess.Popen` shows one."""

    def __init__(self, command: tuple[str, ...], environment: dict[str, str]) -> None:
        self.returncode: int | None = None
        self._command = command
        self._texts: tuple[str, str] | None = None
        self._written = [tempfile.TemporaryFile() for _ in ("output", "errors")]  # noqa: SIM115
        status, told = os.pipe()
        asked = json.dumps({"command": command, "environment": environment}).encode()
        socket.send_fds(_server(), [asked], [told, *(file.fileno() for file in self._written)])
        os.close(told)
        self._status = os.fdopen(status)
        self.pid = int(self._status.readline())

    def poll(self) -> int | None:
        """Return its exit code, minus the signal that killed it, or None while it runs."""
        if self.returncode is None and select.select([self._status], [], [], 0)[0]:
            self.returncode = int(self._status.readline())
            self._status.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code once it has ended; raise TimeoutExpired before."""
        if self.returncode is None and not select.select([self._status], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(self._command, timeout)
        return self.poll()

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end and return what it wrote on its output and on its errors."""
        self.wait(timeout)
        if self._texts is None:
            self._texts = tuple(_text(file) for file in self._written)
        return self._texts

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)


def _text(file: IO[bytes]) -> str:
    with file:
        file.seek(0)
        return file.read().decode()


@cache
def _server() -> socket.socket:
    """Start the process that is forked; it ends with this one, which holds the other end."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * LONGEST)
    root = Path(__file__).resolve().parents[2]
    with there:
        started = [sys.executable, __file__, str(there.fileno())]
        process = subprocess.Popen(started, cwd=root, pass_fds=[there.fileno()])
    here.settimeout(300)
    atexit.register(process.wait)
    atexit.register(here.close)
    return here


# --- The other side -------------------------------------------------------------------------------


def _main() -> None:
    """Read the code, then become each process asked for."""
    import gc

    gc.set_threshold(50_000, 20, 50)
    sys.path[0] = str(Path.cwd())
    os.environ["DJANGO_SETTINGS_MODULE"] = "entsvc.settings"
    import django
    from django.urls import get_resolver

    django.setup()
    assert get_resolver().url_patterns
    import weasyprint  # noqa: F401

    gc.freeze()
    asked = _serve(socket.socket(fileno=int(sys.argv[1])))
    if asked is not None:
        _become(**asked)


def _serve(channel: socket.socket) -> dict[str, Any] | None:
    """Return in each fork what it is to do; None once nobody asks any more."""
    while True:
        asked, given, _, _ = socket.recv_fds(channel, LONGEST, 3)
        _bury()
        if not asked:
            return None
        told, *written = given
        if os.fork():
            for number in (told, *written):
                os.close(number)
            continue
        channel.close()
        if child := os.fork():
            _watch(child, told)
        os.close(told)
        for place, number in enumerate(written, start=1):
            os.dup2(number, place)
            os.close(number)
        return json.loads(asked)


def _bury() -> None:
    """Let go of the watchers that have ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _watch(child: int, told: int) -> None:
    """Tell the number of a process, then how it ended."""
    os.write(told, f"{child}\n".encode())
    _, status = os.waitpid(child, 0)
    os.write(told, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _become(command: list[str], environment: dict[str, str]) -> None:
    """Run a command line of Python as if it had just started."""
    from django.conf import settings
    from django.db import connections
    from django.utils.functional import empty

    os.environ.clear()
    os.environ.update(environment)
    sys.path[1:1] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    time.tzset()
    del sys.modules["entsvc.settings"]
    settings._wrapped = empty
    connections._settings = None
    connections.__dict__.pop("settings", None)
    for alias in list(connections):
        if hasattr(connections._connections, alias):
            del connections[alias]
    if command[0] == "-c":
        sys.argv = ["-c", *command[2:]]
        exec(compile(command[1], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = list(command)
        runpy.run_path(command[0], run_name="__main__")


if __name__ == "__main__":
    _main()
