"""Keeps uploaded zip files under their SHA-256, and hands out their unpacked folders, verified at every call.

<root>/incoming/<random>.zip     being received; worthless until kept
<root>/<digest>.zip              kept: whole, on disk, never changed
<root>/unpacked/<digest>/        made from the zip, together with <digest>.json, the digests of its files
<root>/locks/<two digits>.lock   held while a digest that begins so is kept, unpacked or deleted
"""

import logging
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from mlp.errors import ArtefactCorrupt, Unavailable, UnknownName
from mlp.storage import unzip
from mlp.storage.disk import (
    disk_errors,
    files_beneath,
    fsync_folder,
    idle_seconds_of,
    listed,
    remove_tree,
    sha256_of,
    size_bytes,
)
from mlp.storage.fetching import ArtefactSource
from mlp.storage.incoming import Incoming, Received

__all__ = ["ArtefactStore", "Incoming", "Received"]

_log = logging.getLogger(__name__)

#: Longest wait for another process that unpacks: gigabytes on a slow disk take minutes.
_LOCK_SECONDS = 600.0
_DIGEST = re.compile(r"[0-9a-f]{64}")


class ArtefactStore:
    """Zip files by digest in one folder, which several threads, processes and machines may share.

    Args:
        root: The folder; made when first written to.
        unpacked_bytes_max: Size of an unpacked folder at most, bytes.
        source: Where to fetch what is asked for and not here; None: from nowhere.
    """

    def __init__(
        self, root: Path, *, unpacked_bytes_max: int = 16 * 2**30, source: ArtefactSource | None = None
    ) -> None:
        self._root = root
        self._source = source
        self._incoming = root / "incoming"
        self._unpacked = root / "unpacked"
        self._unpacked_bytes_max = unpacked_bytes_max

    def begin(self, limit_bytes: int) -> Incoming:
        """A new file to write an upload into, of at most that many bytes."""
        return Incoming(self._incoming / f"{secrets.token_hex(16)}.zip", limit_bytes)

    def receive(self, chunks: Iterable[bytes], limit_bytes: int) -> Received:
        """The chunks as one file on disk; after any error nothing of them is left.

        Raises:
            BodyTooLarge: More than ``limit_bytes``.
            StorageFull: The disk is full.
        """
        incoming = self.begin(limit_bytes)
        try:
            for chunk in chunks:
                incoming.write(chunk)
            return incoming.finish()
        except BaseException:
            incoming.discard()
            raise

    def check(self, received: Received) -> None:
        """Returns when what was received is a zip file that may be unpacked, as far as its table of contents says.

        Raises:
            BadModelFolder: It is not; see ``unzip``.
        """
        unzip.check(received.path, self._unpacked_bytes_max)

    def keep(self, received: Received) -> str:
        """The digest, once the file stands under it and would survive a power cut; the received one is used up.

        A damaged file of this digest is replaced by the whole one.

        Raises:
            StorageFull: The disk is full.
        """
        archive = self._archive(received.digest)
        with self._locked(received.digest), disk_errors():
            if archive.exists() and sha256_of(archive) == received.digest:
                received.discard()
            else:
                os.replace(received.path, archive)
            # From now on it is young: a sweep that found it unused a moment ago leaves it alone.
            os.utime(archive)
            fsync_folder(self._root)
        return received.digest

    def open_folder(self, digest: str) -> Path:
        """The unpacked folder, every byte of which is what was uploaded.

        Reads all of the zip file and of the folder: call it to load, not to look. What a model wrote there itself is
        gone afterwards. Blocks while another process unpacks the same digest.

        Raises:
            ArtefactCorrupt: The zip file is damaged or gone.
            BadModelFolder: It cannot be unpacked.
            StorageFull: The disk is full.
        """
        archive = self._archive(digest)
        if self._source is not None and not archive.exists():
            self._fetch(self._source, digest)
        folder, manifest = self._unpacked / digest, self._unpacked / f"{digest}.json"
        _verify(archive, digest)
        if not _is_intact(folder, manifest):
            # Looked at again under the lock: meanwhile somebody else may have unpacked it.
            with self._locked(digest), disk_errors():
                if not _is_intact(folder, manifest):
                    self._unpack(archive, folder, manifest)
        return folder

    def archive_of(self, digest: str) -> Path:
        """The zip file of a digest, as it was uploaded.

        Raises:
            UnknownName: It is not here.
        """
        if _DIGEST.fullmatch(digest) is None or not self._archive(digest).exists():
            raise UnknownName(f"there is no artefact {digest[:80]!r} here")
        return self._archive(digest)

    def _fetch(self, source: ArtefactSource, digest: str) -> None:
        """Bring the zip file here; two processes that do so at once bring the same bytes."""
        incoming = self.begin(self._unpacked_bytes_max)
        try:
            source.fetch(digest, incoming)
            received = incoming.finish()
        except BaseException:
            incoming.discard()
            raise
        if received.digest != digest:
            received.discard()
            raise ArtefactCorrupt(
                f"what was fetched as artefact {digest} has SHA-256 {received.digest}: restore it there from a backup",
                digest=digest,
            )
        self.keep(received)
        _log.info("artefact %s fetched, %d bytes", digest, received.size_bytes)

    def delete(self, digest: str, *, idle_seconds: float = 0.0) -> bool:
        """Whether it is gone now. It stays if it was kept less than ``idle_seconds`` ago, or is open under Windows."""
        archive = self._archive(digest)
        with self._locked(digest):
            if archive.exists() and idle_seconds_of(archive) < idle_seconds:
                return False
            try:
                archive.unlink(missing_ok=True)
                (self._unpacked / f"{digest}.json").unlink(missing_ok=True)
                remove_tree(self._unpacked / digest)
            except PermissionError as error:
                _log.warning("the artefact %s cannot be removed yet: %s", digest, error)
                return False
        return True

    def sizes(self) -> dict[str, int]:
        """Bytes on disk, packed and unpacked together, by digest; of everything that is there, used or not."""
        sizes: dict[str, int] = {}
        for path in (*listed(self._root), *listed(self._unpacked)):
            digest = path.name.removesuffix(".zip").removesuffix(".json")
            if _DIGEST.fullmatch(digest):
                sizes[digest] = sizes.get(digest, 0) + size_bytes(path)
        return sizes

    def clear_abandoned(self, *, idle_seconds: float) -> int:
        """How many unfinished uploads and unpackings were removed, of those that nothing wrote to for that long.

        Zero seconds are for the start of a process that knows itself to be alone.
        """
        unfinished = [path for path in listed(self._unpacked) if path.suffix == ".part"]
        abandoned = [path for path in (*listed(self._incoming), *unfinished) if idle_seconds_of(path) >= idle_seconds]
        for path in abandoned:
            remove_tree(path)
        return len(abandoned)

    def _archive(self, digest: str) -> Path:
        if _DIGEST.fullmatch(digest) is None:
            raise ArtefactCorrupt(f"{digest[:80]!r} is no SHA-256 digest: no artefact has that name")
        return self._root / f"{digest}.zip"

    def _unpack(self, archive: Path, folder: Path, manifest: Path) -> None:
        fresh = folder.with_name(f"{folder.name}.{secrets.token_hex(8)}.part")
        written, damaged = fresh.with_suffix(".json.part"), fresh.with_suffix(".old.part")
        try:
            fresh.mkdir(parents=True)
            written.write_bytes(msgspec.json.encode(unzip.unpack(archive, fresh, self._unpacked_bytes_max)))
            if folder.exists():
                _log.warning("the unpacked artefact %s was not as unpacked: it is unpacked again", folder.name)
                os.rename(folder, damaged)
            os.rename(fresh, folder)
            os.replace(written, manifest)
        finally:
            for leftover in (fresh, written, damaged):
                remove_tree(leftover)

    @contextmanager
    def _locked(self, digest: str) -> Iterator[None]:
        """Holds other threads, processes and machines off this digest."""
        locks = self._root / "locks"
        with disk_errors():
            locks.mkdir(parents=True, exist_ok=True)
        # Lock files are not removed, which would race; 256 of them are shared by all digests.
        lock = FileLock(locks / f"{digest[:2]}.lock", timeout=_LOCK_SECONDS)
        try:
            lock.acquire()
        except Timeout:
            raise Unavailable(
                f"another process has been busy with artefact {digest} for {_LOCK_SECONDS:.0f} s: try again later"
            ) from None
        try:
            yield
        finally:
            lock.release()


def _verify(archive: Path, digest: str) -> None:
    remedy = f"restore {archive.name} from a backup, or add the version again"
    try:
        found = sha256_of(archive)
    except FileNotFoundError:
        raise ArtefactCorrupt(f"artefact {digest} is gone: {remedy}", digest=digest) from None
    except OSError as error:
        raise ArtefactCorrupt(f"artefact {digest} cannot be read ({error}): {remedy}", digest=digest) from error
    if found != digest:
        raise ArtefactCorrupt(f"artefact {digest} is damaged, its SHA-256 is now {found}: {remedy}", digest=digest)


def _is_intact(folder: Path, manifest: Path) -> bool:
    """Whether the folder holds exactly the files of its manifest, unchanged; bytecode that Python left is removed."""
    try:
        promised = msgspec.json.decode(manifest.read_bytes(), type=dict[str, str])
        for leftover in list(folder.rglob("__pycache__")):
            remove_tree(leftover)
        found = {path.relative_to(folder).as_posix(): path for path in files_beneath(folder)}
        return found.keys() == promised.keys() and all(
            not path.is_symlink() and sha256_of(path) == promised[name] for name, path in found.items()
        )
    except (OSError, msgspec.MsgspecError):
        return False
