import hashlib
import os
from pathlib import Path

import pytest

from mlp.errors import ArtefactCorrupt
from mlp.storage.result_files import ResultFiles

RESULT = b'{"large": true}'
DIGEST = hashlib.sha256(RESULT).hexdigest()


@pytest.fixture
def files(tmp_path: Path) -> ResultFiles:
    return ResultFiles(tmp_path / "results", inline_bytes_max=4)


def age(tmp_path: Path) -> None:
    for path in (tmp_path / "results").glob("*/*"):
        os.utime(path, (0, 0))


def test_small_result_is_no_file(files: ResultFiles, tmp_path: Path) -> None:
    assert files.keep(b"null") is None
    assert not (tmp_path / "results").exists()


def test_large_result_is_read_as_it_was_kept(files: ResultFiles) -> None:
    assert [files.keep(RESULT), files.keep(RESULT)] == [DIGEST, DIGEST]
    assert files.read(DIGEST) == RESULT


def test_damaged_and_missing_files_are_named(files: ResultFiles, tmp_path: Path) -> None:
    files.keep(RESULT)
    (tmp_path / "results" / DIGEST[:2] / DIGEST).write_bytes(b"other")

    with pytest.raises(ArtefactCorrupt, match="damaged"):
        files.read(DIGEST)
    with pytest.raises(ArtefactCorrupt, match="not on this machine"):
        files.read("0" * 64)


def test_files_that_no_row_names_go_once_they_are_old(files: ResultFiles, tmp_path: Path) -> None:
    files.keep(RESULT)
    kept = files.keep(b"another")
    assert files.delete_unnamed(set()) == 0

    age(tmp_path)

    assert files.delete_unnamed({str(kept)}) == 1
    assert files.read(str(kept)) == b"another"
