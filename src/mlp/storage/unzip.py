"""Unpacks a zip file that a stranger made: nothing lands outside the folder, and nothing grows without bound.

What is refused on one system is refused on all, so that a version accepted on Linux unpacks on Windows too.
"""

import hashlib
import io
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlp.errors import BadModelFolder

#: Entries of a zip at most. A model is a handful of files; one with its tokenizers and code, a few hundred.
ENTRIES_MAX = 10_000
#: Unpacked size up to which any compression is believed, bytes.
_BELIEVED_BYTES = 64 * 2**20
#: Beyond it, unpacked bytes per packed byte at most. Weights hardly reach 2, source code 10; deflate's end is 1032
#: (https://zlib.net/zlib_tech.html), which only zeros and bombs come near.
_RATIO_MAX = 200
#: Bytes of the table of contents at most; zipfile makes an object of each entry before it says how many there are.
_CONTENTS_BYTES_MAX = 4 * 2**20
_BLOCK_BYTES = 2**20
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1  # general purpose bit 0, APPNOTE.TXT 4.4.4
_PART_BYTES_MAX = 255  # of one name, on every usual file system
_NAME_BYTES_MAX = 1024
#: Names and characters that Windows cannot store (Microsoft, "Naming Files, Paths, and Namespaces").
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)
_FORBIDDEN = frozenset('<>:"|?*\\')


def check(archive: Path, bytes_max: int) -> None:
    """Returns when the table of contents promises a folder that may be unpacked; reads no content.

    Args:
        archive: The zip file.
        bytes_max: Unpacked size at most, bytes.

    Raises:
        BadModelFolder: It does not, or the file is no zip file; the message names the entry.
    """
    with _opened(archive) as opened:
        _check_contents(opened, archive.stat().st_size, bytes_max)


def unpack(archive: Path, folder: Path, bytes_max: int) -> dict[str, str]:
    """The SHA-256 digests (hexadecimal) of the unpacked files by their path, ``/`` between its parts.

    Args:
        archive: The zip file.
        folder: Where the files go: there and empty. Files are left read-only. Half-filled after an error.
        bytes_max: Unpacked size at most, bytes.

    Raises:
        BadModelFolder: As ``check``; or an entry is damaged or longer than it says.
        OSError: The disk is full, or does not work.
    """
    digests: dict[str, str] = {}
    with _opened(archive) as opened:
        for entry in _check_contents(opened, archive.stat().st_size, bytes_max):
            target = folder.joinpath(*entry.filename.rstrip("/").split("/"))
            if entry.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            digests[entry.filename] = _unpack_entry(opened, entry, target)
    return digests


def _unpack_entry(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> str:
    digest = hashlib.sha256()
    with opened.open(entry) as source, target.open("xb") as unpacked:
        # zipfile stops at the promised size and then compares the checksum, so no entry outgrows its promise.
        while block := source.read(_BLOCK_BYTES):
            digest.update(block)
            unpacked.write(block)
    target.chmod(0o444)
    return digest.hexdigest()


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    """The zip file, with the many exceptions of zipfile turned into one."""
    try:
        with _BoundedReads(io.FileIO(archive)) as file, zipfile.ZipFile(file) as opened:
            yield opened
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OverflowError) as error:
        raise BadModelFolder(f"this is no zip file of a model folder, or it is damaged: {error}") from error


class _BoundedReads(io.BufferedReader):
    """A file for zipfile to read, which trusts the offsets and sizes that it finds in it."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        try:
            return super().seek(offset, whence)
        except OSError as error:
            raise zipfile.BadZipFile("it points outside itself") from error

    def read(self, size: int | None = -1, /) -> bytes:
        # zipfile reads the table of contents in one piece, as long as the file says it is.
        if size is not None and 0 <= size <= _CONTENTS_BYTES_MAX:
            return super().read(size)
        block = super().read(_CONTENTS_BYTES_MAX + 1)
        if len(block) > _CONTENTS_BYTES_MAX:
            raise _too_many("a table of contents of more than 4 MiB")
        return block


def _too_many(found: str) -> BadModelFolder:
    return BadModelFolder(f"the zip file has {found}: a model folder has at most {ENTRIES_MAX:,} files")


def _check_contents(opened: zipfile.ZipFile, archive_bytes: int, bytes_max: int) -> list[zipfile.ZipInfo]:
    entries = opened.infolist()
    if len(entries) > ENTRIES_MAX:
        raise _too_many(f"{len(entries):,} entries")
    for entry in entries:
        _check_name(entry)
        _check_kind(entry)
    _check_collisions(entries)
    _check_sizes(entries, archive_bytes, bytes_max)
    return entries


def _check_sizes(entries: list[zipfile.ZipInfo], archive_bytes: int, bytes_max: int) -> None:
    unpacked_bytes = sum(entry.file_size for entry in entries)
    packed_bytes = sum(entry.compress_size for entry in entries)
    if packed_bytes > archive_bytes:
        raise BadModelFolder("entries of the zip file overlap: it was made to grow without end")
    if unpacked_bytes > bytes_max:
        raise BadModelFolder(
            f"the zip file would unpack to {unpacked_bytes:,} bytes, {bytes_max:,} are allowed: "
            "leave out what the model does not need, or raise MLP_UNPACKED_BYTES_MAX"
        )
    if unpacked_bytes > _BELIEVED_BYTES and unpacked_bytes > _RATIO_MAX * packed_bytes:
        raise BadModelFolder(
            f"the zip file would grow from {packed_bytes:,} to {unpacked_bytes:,} bytes, "
            f"more than {_RATIO_MAX} times: store the files without compression"
        )


def _check_name(entry: zipfile.ZipInfo) -> None:
    # zipfile cuts a name at its first NUL and may take it from an extra field: the raw one must be in order too.
    for name in {entry.orig_filename, entry.filename}:
        if len(name.encode("utf-8", "surrogatepass")) > _NAME_BYTES_MAX:
            raise BadModelFolder(f"the zip file has a name of more than {_NAME_BYTES_MAX} bytes: {name[:60]!r}...")
        refusals = (refusal for part in name.removesuffix("/").split("/") if (refusal := _refusal_of_part(part)))
        refusal = next(refusals, None)
        if refusal is not None:
            raise BadModelFolder(f"the zip file has an entry {name[:200]!r}, which cannot be unpacked: {refusal}")


def _refusal_of_part(part: str) -> str | None:
    if part in ("", ".", ".."):
        return "names are relative, without '.' and '..'"
    if _FORBIDDEN.intersection(part):
        return 'a name cannot hold any of < > : " | ? * \\'
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in part):
        return "a name cannot hold control characters"
    if part[-1] in ". " or _DEVICE.match(part):
        return "Windows has no such file name"
    if len(part.encode("utf-8")) > _PART_BYTES_MAX:
        return f"a name has at most {_PART_BYTES_MAX} bytes"
    return None


def _check_kind(entry: zipfile.ZipInfo) -> None:
    # The upper half holds the mode where a Unix made the entry; 0 says nothing (APPNOTE.TXT 4.4.15).
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise BadModelFolder(f"'{entry.filename}' in the zip file is a link or a device: only files and folders may be")
    if entry.flag_bits & _ENCRYPTED:
        raise BadModelFolder(f"'{entry.filename}' in the zip file is encrypted: zip the folder without a password")
    if entry.compress_type not in _COMPRESSIONS:
        raise BadModelFolder(f"'{entry.filename}' in the zip file is compressed in a rare way: use deflate, or none")


def _check_collisions(entries: list[zipfile.ZipInfo]) -> None:
    """Refuse two entries that some file system takes for one (Windows, macOS), or a file that is a folder too."""
    files: set[str] = set()
    folders: set[str] = set()
    for entry in entries:
        key = unicodedata.normalize("NFC", entry.filename.rstrip("/")).casefold()
        parts = key.split("/")
        folders.update("/".join(parts[:depth]) for depth in range(1, len(parts) + int(entry.is_dir())))
        if entry.is_dir():
            continue
        if key in files:
            raise BadModelFolder(f"'{entry.filename}' stands twice in the zip file (large and small letters are one)")
        files.add(key)
    for key in files & folders:
        raise BadModelFolder(f"'{key}' is a file and a folder at once in the zip file")
