"""Folders that are written for their author."""

import json
from pathlib import Path

import pytest

from mlp.errors import BadModelFolder
from mlp.registry.authoring import folder_from_file, new_folder, read_example
from mlp.registry.folder import read_folder
from mlp.registry.trial import run_trial


@pytest.mark.parametrize("name", ["churn", 'the "new" \\ Zoë'])
def test_new_folder_passes_its_trial_as_it_is(tmp_path: Path, name: str) -> None:
    new_folder(tmp_path / "new", name)

    report = run_trial(tmp_path / "new", allow_mismatch=False, threads=1)

    assert read_folder(tmp_path / "new").name == name
    assert report.warnings == ()
    assert report.signature.classes == (False, True)


def test_new_folder_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")

    with pytest.raises(BadModelFolder, match="exists and is not empty"):
        new_folder(tmp_path, "churn")

    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_new_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(BadModelFolder, match="cannot be written"):
        new_folder(tmp_path / "file" / "churn", "churn")


@pytest.mark.parametrize(
    ("file_name", "runtime", "kept_as"),
    [
        ("best.joblib", "sklearn", "model.joblib"),
        ("best.pkl", "sklearn", "model.joblib"),
        ("best.onnx", "onnx", "model.onnx"),
        ("best.txt", "lightgbm", "model.txt"),
    ],
)
def test_folder_from_a_file_has_all_that_was_given(tmp_path: Path, file_name: str, runtime: str, kept_as: str) -> None:
    (tmp_path / file_name).write_bytes(b"model")
    (tmp_path / "rows.csv").write_text("age,churned\n41,true\n52,false\n")
    (tmp_path / "needs.txt").write_text("numpy\n")
    (tmp_path / "train.csv.gz").write_bytes(b"rows")

    folder_from_file(
        tmp_path / file_name,
        tmp_path / "made",
        example=tmp_path / "rows.csv",
        requirements=tmp_path / "needs.txt",
        reference=tmp_path / "train.csv.gz",
        settings={"task": "classification", "classes": ["nö", "yes"]},
    )

    folder = read_folder(tmp_path / "made")
    assert (folder.runtime, folder.classes, folder.requirements) == (runtime, ("nö", "yes"), ((1, "numpy"),))
    assert (tmp_path / "made" / kept_as).read_bytes() == b"model"
    assert folder.example is not None
    assert folder.example.rows == ({"age": 41, "churned": True}, {"age": 52, "churned": False})
    assert folder.reference == tmp_path / "made" / "reference.csv.gz"


def test_folder_from_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.h5").write_bytes(b"")

    with pytest.raises(BadModelFolder, match=r"model\.h5: a model file ends in \.joblib, \.pkl"):
        folder_from_file(tmp_path / "model.h5", tmp_path / "made")


def test_folder_from_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModelFolder, match=r"there is no file .*model\.onnx"):
        folder_from_file(tmp_path / "model.onnx", tmp_path / "made")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.csv", "a,b\n1,x\n2,y\n"),
        ("rows.json", json.dumps({"rows": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]})),
        ("rows.json", json.dumps([{"a": 1, "b": "x"}, {"a": 2, "b": "y"}])),
        ("rows.jsonl", '{"a": 1, "b": "x"}\n\n{"a": 2, "b": "y"}\n'),
    ],
)
def test_example_is_read_from_any_of_its_forms(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)

    assert read_example(tmp_path / name) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("rows.csv", "a,b\n1\n", r"rows\.csv: line 2 of the CSV has 1 cells"),
        ("rows.csv", "a,b\n", r"rows\.csv holds no rows"),
        ("rows.json", "{", r"rows\.json: not JSON"),
        ("rows.json", '{"rows": 3}', r'rows\.json: expected \{"rows"'),
        ("rows.jsonl", '{"a": 1}\n[2]\n', r"rows\.jsonl: line 2 is not an object"),
        ("rows.jsonl", '{"a": 1}\n{\n', r"rows\.jsonl: line 2 is not JSON"),
        ("rows.parquet", "", r"rows\.parquet: an example is a \.csv"),
    ],
)
def test_example_that_is_malformed_names_file_and_line(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)

    with pytest.raises(BadModelFolder, match=said):
        read_example(tmp_path / name)


def test_example_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModelFolder, match="there is no file"):
        read_example(tmp_path / "rows.csv")
