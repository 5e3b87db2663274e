"""Zips the files of a model folder so that the same contents are the same bytes: names sorted, no times, no modes."""

import os
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from mlp.errors import BadModelFolder

#: Files of a model folder by their path within it, with ``/`` between the parts: content, or where it lies.
Contents = Mapping[str, bytes | Path]

# The earliest time that a zip entry can carry (APPNOTE.TXT 4.4.6); unzipping gives the files that date.
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_READABLE_FILE = 0o100644 << 16
# Above level 1 deflate gains some percent on weights and trees, and takes three times as long.
_LEVEL = 1
_COPY_BYTES = 1 << 20


def write_archive(contents: Contents, target: Path) -> None:
    """Write a zip file with these contents; blocks until it is on disk."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name in sorted(contents):
            entry = zipfile.ZipInfo(name, _NO_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # the mode below is read as that of a Unix file, on whatever system this runs
            entry.external_attr = _READABLE_FILE
            content = contents[name]
            if isinstance(content, bytes):
                archive.writestr(entry, content, compresslevel=_LEVEL)
                continue
            entry.file_size = content.stat().st_size  # tells zipfile whether the entry needs 64-bit sizes
            with content.open("rb") as source, archive.open(entry, "w") as written:
                shutil.copyfileobj(source, written, _COPY_BYTES)


def folder_contents(folder: Path) -> dict[str, Path]:
    """The files of a model folder, those left out that are of no use elsewhere.

    Left out: whatever begins with a dot (``.git``, ``.env``, ``.ipynb_checkpoints``), ``__pycache__`` and bytecode.

    Raises:
        BadModelFolder: There is no ``mlp.toml`` in it, or it holds a link to another folder.
    """
    if not (folder / "mlp.toml").is_file():
        raise BadModelFolder(f'{folder} has no mlp.toml: "mlp models new" writes a folder to start from')
    contents: dict[str, Path] = {}
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
        for name in folders:
            if (Path(place) / name).is_symlink():
                raise BadModelFolder(f"{Path(place) / name} is a link to a folder: put the folder itself there")
        for name in files:
            if not name.startswith(".") and not name.endswith((".pyc", ".pyo")):
                path = Path(place) / name
                contents[path.relative_to(folder).as_posix()] = path
    return contents
