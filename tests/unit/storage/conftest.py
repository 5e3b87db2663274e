"""Zip files for the tests of storage, well-made and otherwise."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.versions import zip_bytes

ZipWriter = Callable[[Mapping[str, bytes]], Path]


@pytest.fixture
def write_zip(tmp_path: Path) -> ZipWriter:
    """Writes a zip file of files by name."""

    def write(files: Mapping[str, bytes]) -> Path:
        path = tmp_path / "upload.zip"
        path.write_bytes(zip_bytes(files))
        return path

    return write
