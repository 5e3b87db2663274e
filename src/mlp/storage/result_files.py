"""Large results beside the artefacts: files by SHA-256, which the rows of the database name.

<root>/<two digits>/<digest>     whole, on disk, never changed
"""

import hashlib
import os
import secrets
from pathlib import Path

from mlp.errors import ArtefactCorrupt
from mlp.storage.disk import disk_errors, fsync_folder, idle_seconds_of, listed

#: A file that was written a moment ago may be named by a row that is not committed yet.
_YOUNG_SECONDS = 3600.0


class ResultFiles:
    """The files of one folder, which the processes of a stack share.

    Args:
        inline_bytes_max: Results up to this size are not worth a file.
    """

    def __init__(self, root: Path, *, inline_bytes_max: int) -> None:
        self._root = root
        self._inline_bytes_max = inline_bytes_max

    def keep(self, result: bytes) -> str | None:
        """The digest of a large result, once its file would survive a power cut; None for one that is not large.

        Raises:
            StorageFull: The disk is full.
        """
        if len(result) <= self._inline_bytes_max:
            return None
        digest = hashlib.sha256(result).hexdigest()
        path = self._path(digest)
        fresh = path.with_name(f"{digest}.{secrets.token_hex(8)}.part")
        with disk_errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with fresh.open("xb") as file:
                    file.write(result)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(fresh, path)
            finally:
                fresh.unlink(missing_ok=True)
            fsync_folder(path.parent)
        return digest

    def read(self, digest: str) -> bytes:
        """The result of a digest.

        Raises:
            ArtefactCorrupt: Its file is gone or damaged.
        """
        try:
            result = self._path(digest).read_bytes()
        except FileNotFoundError:
            raise ArtefactCorrupt(
                f"the file of a result, {digest}, is not on this machine: restore it from a backup, or retry the job",
                digest=digest,
            ) from None
        if hashlib.sha256(result).hexdigest() != digest:
            raise ArtefactCorrupt(
                f"the file of a result, {digest}, is damaged: restore it from a backup, or retry the job", digest=digest
            )
        return result

    def delete_unnamed(self, named: set[str]) -> int:
        """How many files were deleted that no row names, but for those written lately."""
        count = 0
        for folder in listed(self._root):
            for path in listed(folder):
                if path.name not in named and idle_seconds_of(path) > _YOUNG_SECONDS:
                    path.unlink(missing_ok=True)
                    count += 1
        return count

    def _path(self, digest: str) -> Path:
        return self._root / digest[:2] / digest
