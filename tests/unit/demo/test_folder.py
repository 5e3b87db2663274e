"""The demo's folder: made, emptied when it is the demo's, left alone when it is not."""

from pathlib import Path

import pytest

from mlp.demo.folder import MARKER, prepare_folder
from mlp.errors import Conflict, FolderInUse
from mlp.storage.ownership import FolderOwner


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_folder_that_is_absent_is_made(tmp_path: Path) -> None:
    prepare_folder(tmp_path / "deep" / "demo")

    assert names_in(tmp_path / "deep" / "demo") == [MARKER]


def test_folder_that_is_empty_is_taken(tmp_path: Path) -> None:
    prepare_folder(tmp_path)

    assert names_in(tmp_path) == [MARKER]


def test_folder_of_an_earlier_demo_starts_afresh(tmp_path: Path) -> None:
    prepare_folder(tmp_path)
    (tmp_path / "artefacts" / "deep").mkdir(parents=True)
    (tmp_path / "mlp.sqlite").write_bytes(b"old")

    prepare_folder(tmp_path)

    assert names_in(tmp_path) == [MARKER]


def test_folder_of_anything_else_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")

    with pytest.raises(Conflict, match="--folder"):
        prepare_folder(tmp_path)

    assert names_in(tmp_path) == ["thesis.txt"]


def test_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()

    with pytest.raises(Conflict, match="is a file"):
        prepare_folder(path)


def test_folder_with_a_running_server_is_refused_and_kept(tmp_path: Path) -> None:
    prepare_folder(tmp_path)
    (tmp_path / "mlp.sqlite").write_bytes(b"in use")

    with FolderOwner(tmp_path), pytest.raises(FolderInUse, match="pid"):
        prepare_folder(tmp_path)

    assert "mlp.sqlite" in names_in(tmp_path)


def test_folder_removes_links_and_not_what_they_lead_to(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    demo = tmp_path / "demo"
    prepare_folder(demo)
    try:
        (demo / "link").symlink_to(precious, target_is_directory=True)
    except OSError:
        pytest.skip("only on systems where links may be made")

    prepare_folder(demo)

    assert (precious / "file").exists()
    assert names_in(demo) == [MARKER]
