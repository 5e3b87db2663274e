"""A file while it arrives: written block by block, counted and digested on the way, fsynced at its end."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from mlp.errors import BodyTooLarge
from mlp.storage.disk import disk_errors


@dataclass(frozen=True, slots=True)
class Received:
    """A file that arrived whole: written and fsynced, but not yet kept.

    Attributes:
        digest: SHA-256 of its bytes, hexadecimal.
    """

    path: Path
    digest: str
    size_bytes: int

    def discard(self) -> None:
        """Free its disk, unless it was kept; may be called twice."""
        self.path.unlink(missing_ok=True)


class Incoming:
    """A file that arrives, for one thread at a time. End it with ``finish`` or ``discard``.

    Args:
        path: A new file.
        limit_bytes: Its size at most.
    """

    def __init__(self, path: Path, limit_bytes: int) -> None:
        self._path = path
        self._limit_bytes = limit_bytes
        self._size_bytes = 0
        self._digest = hashlib.sha256()
        with disk_errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("xb")

    def write(self, block: bytes) -> None:
        """Append a block; blocks on the disk.

        Raises:
            BodyTooLarge: More bytes than allowed.
            StorageFull: The disk is full.
        """
        self._size_bytes += len(block)
        check_size(self._size_bytes, self._limit_bytes)
        self._digest.update(block)
        with disk_errors():
            self._file.write(block)

    def finish(self) -> Received:
        """The file as received, fsynced.

        Raises:
            StorageFull: The disk is full.
        """
        with disk_errors():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        return Received(self._path, self._digest.hexdigest(), self._size_bytes)

    def discard(self) -> None:
        """Forget it and free its disk; may be called at any time, and twice."""
        try:
            self._file.close()
        except OSError:
            pass  # the last buffered block found no room; it goes with the file
        self._path.unlink(missing_ok=True)


def check_size(size_bytes: int, limit_bytes: int) -> None:
    """Returns when an upload of that size is allowed.

    Raises:
        BodyTooLarge: It is not.
    """
    if size_bytes > limit_bytes:
        raise BodyTooLarge(
            f"the upload is larger than {limit_bytes:,} bytes: leave out what the model does not need, "
            "or raise MLP_UPLOAD_BYTES_MAX"
        )
