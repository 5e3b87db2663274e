"""What the artefact store needs of a disk: digests, whole trees, renames that last, and errors in our own words."""

import errno
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlp.clock import now_micros
from mlp.errors import ConfigurationInvalid, StorageFull

# EFBIG is a limit of the process (ulimit -f), EDQUOT one of the user: to us both are an end of the disk.
_FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turns the operating system's refusals to write into ours; other errors pass as they are.

    Raises:
        StorageFull: No room, or a quota is spent.
        ConfigurationInvalid: The folder may not be written to.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull("the disk of the artefacts is full: nothing was kept; free some space") from error
        if error.errno in _FORBIDDEN:
            raise ConfigurationInvalid(
                f"{error.filename} cannot be written ({error.strerror}): give the server the right to, "
                "or name another folder in MLP_FOLDER"
            ) from error
        raise


def sha256_of(path: Path) -> str:
    """The SHA-256 digest of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def listed(folder: Path) -> list[Path]:
    """What stands directly in the folder; nothing if there is no folder."""
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def files_beneath(path: Path) -> list[Path]:
    """All files and links beneath a folder, itself for a file or a link; links are not followed."""
    if path.is_symlink() or not path.is_dir():
        return [path]
    files: list[Path] = []
    for top, folders, names in os.walk(path):
        files.extend(Path(top, name) for name in names)
        files.extend(Path(top, name) for name in folders if Path(top, name).is_symlink())
    return files


def size_bytes(path: Path) -> int:
    """Bytes of all files at or beneath the path; those that vanish meanwhile count nothing."""
    total = 0
    for file in files_beneath(path):
        try:
            total += file.lstat().st_size
        except FileNotFoundError:
            continue
    return total


def idle_seconds_of(path: Path) -> float:
    """Seconds since anything at or beneath the path was written; 0 if it is gone."""
    youngest = None
    for file in (path, *files_beneath(path)):
        try:
            written = file.lstat().st_mtime
        except FileNotFoundError:
            continue
        youngest = written if youngest is None else max(youngest, written)
    return 0.0 if youngest is None else now_micros() / 1e6 - youngest


def remove_tree(path: Path) -> None:
    """Remove a file, a link, or a folder with read-only files; nothing there is fine."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    for file in files_beneath(path):
        if not file.is_symlink():
            file.chmod(0o600)  # Windows removes no read-only file
    shutil.rmtree(path)


def fsync_folder(folder: Path) -> None:
    """Make renames within the folder survive a power cut; Windows has no such call and needs none."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
