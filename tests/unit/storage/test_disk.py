"""Trees, ages and errors of a disk."""

import errno
import hashlib
import os
import sys
from pathlib import Path

import pytest

from mlp.errors import ConfigurationInvalid, MLPError, StorageFull
from mlp.storage import disk


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, StorageFull),
        (errno.EFBIG, StorageFull),
        (errno.EACCES, ConfigurationInvalid),
        (errno.EROFS, ConfigurationInvalid),
    ],
)
def test_disk_error_of_the_operator_is_one_of_ours(number: int, expected: type[MLPError]) -> None:
    with pytest.raises(expected), disk.disk_errors():
        raise OSError(number, os.strerror(number), "somewhere")


def test_disk_error_about_rights_names_the_place() -> None:
    with pytest.raises(ConfigurationInvalid, match=r"^somewhere cannot be written .*MLP_FOLDER"), disk.disk_errors():
        raise PermissionError(errno.EACCES, "Permission denied", "somewhere")


def test_disk_error_of_another_kind_passes_as_it_is() -> None:
    with pytest.raises(FileNotFoundError), disk.disk_errors():
        raise FileNotFoundError(errno.ENOENT, "No such file", "somewhere")


def test_sha256_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")

    # The first example of FIPS 180-4 (NIST, "SHA-256 examples").
    assert disk.sha256_of(tmp_path / "file") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert disk.sha256_of(tmp_path / "file") == hashlib.sha256(b"abc").hexdigest()


def test_tree_is_measured_and_removed_whole_though_read_only(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "inner").mkdir(parents=True)
    (tree / "a").write_bytes(b"12")
    (tree / "inner" / "b").write_bytes(b"345")
    (tree / "a").chmod(0o400)

    assert {path.name for path in disk.files_beneath(tree)} == {"a", "b"}
    assert disk.size_bytes(tree) == 5
    disk.remove_tree(tree)

    assert not tree.exists()
    disk.remove_tree(tree)


@pytest.mark.skipif(sys.platform == "win32", reason="only on systems where everybody may make links")
def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    outside, tree = tmp_path / "outside", tmp_path / "tree"
    outside.mkdir()
    (outside / "file").write_bytes(b"kept")
    tree.mkdir()
    (tree / "folder-link").symlink_to(outside)
    (tree / "file-link").symlink_to(outside / "file")

    assert {path.name for path in disk.files_beneath(tree)} == {"folder-link", "file-link"}
    disk.remove_tree(tree)

    assert (outside / "file").read_bytes() == b"kept"


def test_idle_time_is_that_of_the_youngest_file(tmp_path: Path) -> None:
    for name, age_seconds in (("old", 7200), ("young", 60)):
        (tmp_path / name).touch()
        stamp = (tmp_path / name).stat().st_mtime - age_seconds
        os.utime(tmp_path / name, (stamp, stamp))
    os.utime(tmp_path, (0, 0))

    assert 59 <= disk.idle_seconds_of(tmp_path) < 3600
    assert disk.idle_seconds_of(tmp_path / "gone") == 0


def test_folder_that_is_not_there_lists_nothing(tmp_path: Path) -> None:
    assert disk.listed(tmp_path / "gone") == []


def test_folder_is_fsynced(tmp_path: Path) -> None:
    disk.fsync_folder(tmp_path)
