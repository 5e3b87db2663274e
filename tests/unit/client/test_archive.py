"""Model folders as zip files: the same contents are the same bytes, caches and secrets stay at home."""

import os
import stat
import zipfile
from pathlib import Path

import pytest

from mlp.client.archive import folder_contents, write_archive
from mlp.errors import BadModelFolder


def test_same_contents_are_the_same_bytes(tmp_path: Path) -> None:
    source = tmp_path / "model.joblib"
    source.write_bytes(b"weights" * 1000)
    first, second = tmp_path / "first.zip", tmp_path / "second.zip"

    write_archive({"b.txt": b"b", "model.joblib": source}, first)
    os.utime(source, (1, 1))
    source.chmod(0o600)
    write_archive({"model.joblib": source, "b.txt": b"b"}, second)

    assert first.read_bytes() == second.read_bytes()


def test_archive_holds_the_contents_as_readable_files(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"

    write_archive({"code/née.py": "é".encode(), "mlp.toml": b""}, target)

    with zipfile.ZipFile(target) as archive:
        assert archive.namelist() == ["code/née.py", "mlp.toml"]
        assert archive.read("code/née.py") == "é".encode()
        assert stat.S_IMODE(archive.getinfo("mlp.toml").external_attr >> 16) == 0o644
        assert archive.testzip() is None


def test_folder_contents_leave_out_caches_and_hidden_files(tmp_path: Path) -> None:
    kept = ["mlp.toml", "model.py", "features/__init__.py"]
    left_out = [".env", ".git/config", "__pycache__/model.pyc", "features/old.pyc", ".ipynb_checkpoints/model.py"]
    for name in kept + left_out:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)

    contents = folder_contents(tmp_path)

    assert sorted(contents) == sorted(kept)
    assert contents["features/__init__.py"].read_text() == "features/__init__.py"


def test_folder_without_description_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModelFolder, match=r'has no mlp\.toml: "mlp models new" writes a folder to start from'):
        folder_contents(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_link_to_a_folder_is_refused(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (folder / "mlp.toml").write_text("")
    (folder / "shared").symlink_to(elsewhere)

    with pytest.raises(BadModelFolder, match="is a link to a folder"):
        folder_contents(folder)
