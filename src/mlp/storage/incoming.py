"""A file while it arrives: written block by block, counted and digested on the way, fsynced at its end."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from mlp.clock import monotonic
from mlp.errors import BodyTooLarge, MalformedBody
from mlp.storage.disk import disk_errors

#: An upload that stands still for this long has been given up.
SILENCE_SECONDS = 60.0
#: An upload is handed to a thread in blocks of this size: a handing over costs less than its work.
_BLOCK_BYTES = 2**20
#: A slow upload is handed over at least this often, so that whoever takes it sees that it goes on.
_BLOCK_SECONDS = 5.0


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


async def gathered(chunks: AsyncIterable[bytes], silence_seconds: float = SILENCE_SECONDS) -> AsyncIterator[bytes]:
    """The chunks of an upload, gathered into blocks worth a hand-over to a thread; no thread waits for the sender.

    Args:
        silence_seconds: Longest wait for a chunk.

    Raises:
        MalformedBody: The sender fell silent.
    """
    block = bytearray()
    began_at = monotonic()
    source = aiter(chunks)
    while True:
        try:
            async with asyncio.timeout(silence_seconds):
                block += await anext(source)
        except StopAsyncIteration:
            break
        except TimeoutError:
            raise MalformedBody(f"the upload stood still for {silence_seconds:.0f} s: send it again") from None
        if len(block) >= _BLOCK_BYTES or (block and monotonic() - began_at >= _BLOCK_SECONDS):
            yield bytes(block)
            block.clear()
            began_at = monotonic()
    if block:
        yield bytes(block)
