"""One server owns a data folder: a lock that dies with its process, and a note that says who and where."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from mlp.clock import now, to_rfc3339
from mlp.errors import FolderInUse


@dataclass(frozen=True, slots=True)
class RunningServer:
    """The server that owns a folder now."""

    pid: int
    url: str | None


class FolderOwner:
    """Holds a folder's lock from ``with`` to its end; killed processes lose it at once.

    Raises:
        FolderInUse: Another process holds it; the message has its pid and address.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = FileLock(_lock_path(folder), timeout=0, thread_local=False)

    def __enter__(self) -> "FolderOwner":
        try:
            self._lock.acquire()
        except Timeout:
            running = _read_note(self._folder)
            by = "another process" if running is None else f"the server with pid {running.pid}"
            at = "" if running is None or running.url is None else f" at {running.url}"
            raise FolderInUse(
                f"{self._folder} is in use by {by}{at}: talk to that server, stop it, or choose another --folder",
                pid=None if running is None else running.pid,
            ) from None
        self.announce(None)
        return self

    def announce(self, url: str | None) -> None:
        """Write down who owns the folder and where it answers."""
        note = {"pid": os.getpid(), "url": url, "started_at": to_rfc3339(now())}
        path = _note_path(self._folder)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(note), encoding="utf-8")
        fresh.replace(path)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _note_path(self._folder).unlink(missing_ok=True)
        self._lock.release()


def find_server(folder: Path) -> RunningServer | None:
    """The server that owns the folder now; None if nobody does, whatever note a killed one left."""
    if not _lock_path(folder).exists():
        return None
    probe = FileLock(_lock_path(folder), timeout=0, thread_local=False)
    try:
        probe.acquire()
    except Timeout:
        return _read_note(folder)
    probe.release()
    return None


def _read_note(folder: Path) -> RunningServer | None:
    try:
        note = json.loads(_note_path(folder).read_text(encoding="utf-8"))
        return RunningServer(int(note["pid"]), note["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # the owner is between taking the lock and writing the note


def _lock_path(folder: Path) -> Path:
    return folder / "server.lock"


def _note_path(folder: Path) -> Path:
    return folder / "server.json"
