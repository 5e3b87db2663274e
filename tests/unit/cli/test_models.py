import json
from pathlib import Path

import pytest

from mlp.cli.main import run


def test_new_folder_is_written_and_the_next_command_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "my model"

    assert run(["models", "new", "churn", str(folder)]) == 0

    captured = capsys.readouterr()
    assert str(folder / "mlp.toml") in captured.out.splitlines()
    assert captured.err == f"It works as it is: mlp models add churn '{folder}'\n"


def test_new_folder_as_json_lists_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "new", "churn", str(tmp_path / "churn"), "--json"]) == 0

    captured = capsys.readouterr()
    assert "model.py" in json.loads(captured.out)["files"]
    assert captured.err == ""


def test_new_folder_that_exists_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("mine")

    assert run(["models", "new", "churn", str(tmp_path)]) == 1

    assert "is not empty" in capsys.readouterr().err


def test_version_added_without_a_server_says_how_to_start_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLP_URL", raising=False)
    model, data = str(tmp_path / "churn"), tmp_path / "my data"
    assert run(["models", "new", "churn", model]) == 0
    capsys.readouterr()

    assert run(["models", "add", "churn", model, "--folder", str(data)]) == 0

    captured = capsys.readouterr()
    assert f"Start the server first: mlp serve --folder '{data}'\n" in captured.err
    assert "\ncurl " in captured.out
