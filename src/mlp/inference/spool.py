"""The spool: files on local disk that recorded inferences pass through on their way to the database.

One folder per process, ``spool/<id>/``, locked by its owner, holding numbered segments of frames. A frame is its
length and CRC-32 (both 4 bytes, little-endian) and its payload. Frames are appended by one write call before
an answer leaves; what a killed process wrote is in the kernel's hands and survives it. A frame that was cut short
by a crash belongs to an answer that never left, and is passed over.
"""

import os
import shutil
import struct
import threading
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from mlp.clock import new_id
from mlp.errors import RecordingUnavailable

_HEADER = struct.Struct("<II")
_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a spool: the segment's number and the bytes before it in that segment."""

    segment: int
    offset_bytes: int


START = Position(0, 0)


class SpoolWriter:
    """The spool of this process; appends frames, each call with one write. Safe for use by several threads.

    Args:
        root: The folder of all spools.
        segment_bytes: Size at which a segment is closed and the next begun.
        bytes_max: Disk that this spool may take; beyond it recording is refused until the drain catches up.
    """

    def __init__(self, root: Path, *, segment_bytes: int, bytes_max: int) -> None:
        self.id = new_id()
        self.folder = root / self.id
        self.folder.mkdir(parents=True)
        self._owner = FileLock(self.folder / "owner.lock", timeout=0, thread_local=False)
        self._owner.acquire()
        self._segment_bytes = segment_bytes
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._segment = 0
        self._size_bytes = 0
        self._closed_bytes = 0
        self._file = self._open_segment()

    def append(self, payloads: Sequence[bytes], *, is_durable: bool = False) -> None:
        """Put the payloads at the end, all or none, with one write.

        Args:
            is_durable: Also wait until the disk has them (fsync), so that a power cut does not lose them.

        Raises:
            RecordingUnavailable: The disk is full, or the spool has reached its limit; nothing was appended.
        """
        block = b"".join(
            part for payload in payloads for part in (_HEADER.pack(len(payload), zlib.crc32(payload)), payload)
        )
        with self._lock:
            if self._closed_bytes + self._size_bytes + len(block) > self._bytes_max:
                raise RecordingUnavailable(
                    f"the spool holds {self._bytes_max} bytes, its limit: is the database away? (MLP_SPOOL_BYTES_MAX)"
                )
            self._write(block)
            if is_durable:
                os.fsync(self._file)
            self._size_bytes += len(block)
            if self._size_bytes >= self._segment_bytes:
                self._next_segment()

    def _write(self, block: bytes) -> None:
        try:
            written = os.write(self._file, block)
            while written < len(block):
                written += os.write(self._file, block[written:])
        except OSError as error:
            # A part of the block may be on disk; cut it off, so that the next append does not follow a torn frame.
            os.ftruncate(self._file, self._size_bytes)
            os.lseek(self._file, self._size_bytes, os.SEEK_SET)
            raise RecordingUnavailable(f"the spool cannot be written: {error.strerror}") from error

    def _open_segment(self) -> int:
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        return os.open(segment_path(self.folder, self._segment), flags, 0o644)

    def _next_segment(self) -> None:
        os.close(self._file)
        self._closed_bytes += self._size_bytes
        self._segment += 1
        self._size_bytes = 0
        self._file = self._open_segment()

    def position(self) -> Position:
        """Where the next frame will stand: what lies before it is complete."""
        with self._lock:
            return Position(self._segment, self._size_bytes)

    def forget_before(self, segment: int) -> None:
        """Delete the segments before this one; the drain calls it when they are in the database."""
        freed_bytes = delete_segments_before(self.folder, segment)
        with self._lock:
            self._closed_bytes = max(0, self._closed_bytes - freed_bytes)

    def close(self) -> None:
        """Close the file and let go of the lock; another process may adopt what is left."""
        with self._lock:
            os.close(self._file)
        self._owner.release()


def segment_path(folder: Path, segment: int) -> Path:
    """The file of a segment."""
    return folder / f"{segment:08d}.frames"


def segments(folder: Path) -> list[int]:
    """Numbers of the segments on disk, in order."""
    return sorted(int(path.stem) for path in folder.glob("*.frames"))


def delete_segments_before(folder: Path, segment: int) -> int:
    """Delete all segments with a smaller number; returns the bytes freed."""
    freed_bytes = 0
    for number in segments(folder):
        if number < segment:
            path = segment_path(folder, number)
            freed_bytes += path.stat().st_size
            path.unlink()
    return freed_bytes


def read_frames(folder: Path, start: Position, stop: Position | None) -> Iterator[tuple[bytes, Position]]:
    """Payloads from ``start``, each with the position behind it.

    Args:
        stop: Where a living writer stands; None for a spool whose writer is gone. A frame that is cut short or
            does not match its checksum ends its segment: nothing after it was acknowledged.
    """
    for number in segments(folder):
        if number < start.segment or (stop is not None and number > stop.segment):
            continue
        offset_bytes = start.offset_bytes if number == start.segment else 0
        limit_bytes = stop.offset_bytes if stop is not None and number == stop.segment else None
        for payload, end_bytes in _read_segment(segment_path(folder, number), offset_bytes, limit_bytes):
            yield payload, Position(number, end_bytes)


def _read_segment(path: Path, offset_bytes: int, limit_bytes: int | None) -> Iterator[tuple[bytes, int]]:
    with path.open("rb", buffering=_READ_BYTES) as file:
        file.seek(offset_bytes)
        while limit_bytes is None or offset_bytes < limit_bytes:
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size:
                return
            length_bytes, checksum = _HEADER.unpack(header)
            payload = file.read(length_bytes)
            if len(payload) < length_bytes or zlib.crc32(payload) != checksum:
                return
            offset_bytes += _HEADER.size + length_bytes
            yield payload, offset_bytes


def backlog_bytes(root: Path) -> int:
    """Bytes of all spools on disk, drained or not yet deleted."""
    total_bytes = 0
    for path in root.glob("*/*.frames"):
        try:
            total_bytes += path.stat().st_size
        except FileNotFoundError:  # deleted by its drain in between
            continue
    return total_bytes


class OrphanSpool:
    """A spool whose process is gone, locked by this one while it empties it."""

    def __init__(self, folder: Path, lock: FileLock) -> None:
        self.id = folder.name
        self.folder = folder
        self._lock = lock

    def release(self) -> None:
        """Let another process have it."""
        self._lock.release()

    def remove(self) -> None:
        """Delete the emptied spool."""
        self._lock.release()
        shutil.rmtree(self.folder, ignore_errors=True)


def adopt_orphans(root: Path, own_id: str) -> Iterator[OrphanSpool]:
    """Every spool whose owner no longer holds its lock; the caller releases or removes each."""
    if not root.is_dir():
        return
    for folder in sorted(root.iterdir()):
        if folder.name == own_id or not folder.is_dir():
            continue
        lock = FileLock(folder / "owner.lock", timeout=0, thread_local=False)
        try:
            lock.acquire()
        except (Timeout, OSError):
            continue
        yield OrphanSpool(folder, lock)
