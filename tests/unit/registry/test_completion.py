"""What mlp.toml leaves open is completed from the model and the example."""

import json
from pathlib import Path
from typing import Any

import pytest

from mlp.errors import BadModelFolder
from mlp.registry.completion import complete_classes, complete_inputs, with_positive_class
from mlp.registry.folder import ModelFolder, read_folder
from mlp.runtimes.answers import with_classes
from mlp.runtimes.base import Described
from mlp.signature import DType, Field, Signature, Task

_NOTHING = Described(signature=None, trained_with={})
_CATEGORY = Field("plan", DType.CATEGORY, categories=("basic", "plus"), unknown="count")


def _described(*inputs: Field, classes: Any = None, **members: Any) -> Described:
    signature = Signature(Task.TENSORS, inputs, classes=classes)
    return Described(signature=signature, trained_with={}, **members)


def _folder(
    path: Path, rows: list[Any] | None = None, toml: str = "", file: str = "model.onnx", own_code: str | None = None
) -> ModelFolder:
    (path / "mlp.toml").write_text(toml)
    (path / file).write_bytes(b"")
    if own_code is not None:
        (path / "model.py").write_text(own_code)
    if rows is not None:
        (path / "example.json").write_text(json.dumps({"rows": rows}))
    return read_folder(path)


def test_inputs_of_mlp_toml_come_first(tmp_path: Path) -> None:
    folder = _folder(tmp_path, [{"age": 3}], '[inputs]\nage = "float64"')

    completed = complete_inputs(folder, _described(Field("age", DType.FLOAT32)))

    assert completed.inputs == (Field("age", DType.FLOAT64),)
    assert completed.rows == ({"age": 3},)


def test_inputs_of_the_model_come_before_the_example(tmp_path: Path) -> None:
    folder = _folder(tmp_path, [{"age": 3, "plan": None}, {"age": 4, "plan": "basic"}])

    completed = complete_inputs(folder, _described(Field("age", DType.FLOAT32), _CATEGORY))

    assert completed.inputs == (
        Field("age", DType.FLOAT32),
        Field("plan", DType.CATEGORY, nullable=True, categories=("basic", "plus"), unknown="count"),
    )


def test_columns_that_the_model_does_not_know_are_left_out_and_named(tmp_path: Path) -> None:
    folder = _folder(tmp_path, [{"churned": True, "age": 3, "id": "x", "plan": "basic"}])

    completed = complete_inputs(
        folder, Described(None, {}, input_names=("plan", "age"), categories={"plan": _CATEGORY})
    )

    assert completed.inputs == (_CATEGORY, Field("age", DType.INT64))
    assert completed.left_out == ("churned", "id")
    assert completed.rows == ({"plan": "basic", "age": 3},)


def test_columns_that_the_model_wants_and_the_example_lacks_are_named(tmp_path: Path) -> None:
    folder = _folder(tmp_path, [{"age": 3}])

    with pytest.raises(BadModelFolder, match="the example lacks plan, which the model was trained with"):
        complete_inputs(folder, Described(None, {}, input_names=("age", "plan")))


def test_names_with_blanks_are_those_that_lightgbm_wrote_with_underscores(tmp_path: Path) -> None:
    folder = _folder(tmp_path, [{"home town": "Ulm", "is new": True}])
    town = Field("home_town", DType.CATEGORY, categories=("Ulm",))

    completed = complete_inputs(folder, _described(town, Field("is_new", DType.FLOAT64, nullable=True)))

    assert completed.inputs == (
        Field("home town", DType.CATEGORY, categories=("Ulm",)),
        Field("is new", DType.BOOL, nullable=True),
    )


def test_one_matrix_takes_the_columns_of_the_example(tmp_path: Path) -> None:
    matrix = Field("X", DType.FLOAT32, shape=(2,))

    completed = complete_inputs(_folder(tmp_path, [{"a": 1, "b": 0.5}]), _described(matrix, input_count=2))
    itself = complete_inputs(_folder(tmp_path, [{"X": [1, 0.5]}]), _described(matrix, input_count=2))

    assert completed.inputs == (Field("a", DType.FLOAT32), Field("b", DType.FLOAT32))
    assert itself.inputs == (matrix,)


def test_another_number_of_columns_than_the_model_takes_is_told(tmp_path: Path) -> None:
    folder = _folder(tmp_path, [{"a": 1, "b": 2, "churned": 0}])

    with pytest.raises(BadModelFolder, match=r"takes 2 inputs, its signature has 3 \('a', 'b', 'churned'\)"):
        complete_inputs(folder, Described(None, {}, input_count=2))


def test_rows_that_are_lists_are_named_as_the_model_names_them(tmp_path: Path) -> None:
    named = complete_inputs(_folder(tmp_path, [[1, 2.5]]), Described(None, {}, input_names=("a", "b")))
    nameless = complete_inputs(_folder(tmp_path, [[1, 2.5]]), Described(None, {}, input_count=2))

    assert named.inputs == (Field("a", DType.INT64), Field("b", DType.FLOAT64))
    assert [item.name for item in nameless.inputs] == ["x0", "x1"]


def test_own_code_between_hides_what_the_model_knows_of_its_features(tmp_path: Path) -> None:
    folder = _folder(tmp_path, [{"raw": "x"}], own_code="", file="model.onnx")

    completed = complete_inputs(folder, _described(Field("cooked", DType.FLOAT32)))

    assert completed.inputs == (Field("raw", DType.STRING),)


def test_model_that_describes_itself_is_tried_with_a_made_up_row(tmp_path: Path) -> None:
    inputs = (
        Field("n", DType.INT64, minimum=3),
        Field("f", DType.FLOAT32, maximum=-1.5, shape=(2, -1)),
        _CATEGORY,
        Field("s", DType.STRING),
        Field("b", DType.BOOL),
        Field("t", DType.DATETIME),
    )

    completed = complete_inputs(_folder(tmp_path), _described(*inputs))

    assert completed.is_made_up
    assert completed.rows == (
        {"n": 3, "f": [[-1.5], [-1.5]], "plan": "basic", "s": "", "b": False, "t": "2026-01-01T00:00:00Z"},
    )


def test_folder_that_tells_no_inputs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModelFolder, match=r"nothing says what the inputs are: write them in mlp\.toml"):
        complete_inputs(_folder(tmp_path), _NOTHING)


def test_example_of_another_type_than_the_model_takes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModelFolder, match="column 'age' of the example is string, the model takes float32"):
        complete_inputs(_folder(tmp_path, [{"age": "old"}]), _described(Field("age", DType.FLOAT32)))


def test_column_that_is_empty_in_the_example_takes_the_model_s_type(tmp_path: Path) -> None:
    completed = complete_inputs(_folder(tmp_path, [{"age": None}]), _described(Field("age", DType.FLOAT32)))

    assert completed.inputs == (Field("age", DType.FLOAT32, nullable=True),)


@pytest.mark.parametrize(
    ("toml", "own", "classes"),
    [
        ("", (0, 1), (0, 1)),
        ("[model]\nclasses = [0, 1]", None, (0, 1)),
        ("[model]\nclasses = ['no', 'yes']", (0, 1), ("no", "yes")),
        ("", None, None),
    ],
)
def test_classes_are_those_of_mlp_toml_or_the_model(tmp_path: Path, toml: str, own: Any, classes: Any) -> None:
    assert complete_classes(_folder(tmp_path, toml=toml), _described(classes=own)) == classes


@pytest.mark.parametrize(
    ("file", "classes", "own"),
    [
        ("model.joblib", "['no', 'yes']", (0, 1)),
        ("model.onnx", "['no', 'yes', 'maybe']", (0, 1)),
        ("model.joblib", "[true, false]", (False, True)),
    ],
)
def test_classes_that_contradict_the_model_are_refused(tmp_path: Path, file: str, classes: str, own: Any) -> None:
    folder = _folder(tmp_path, toml=f"[model]\nclasses = {classes}", file=file)

    with pytest.raises(BadModelFolder, match="but the model has"):
        complete_classes(folder, _described(classes=own))


def test_positive_class_must_be_one_of_the_classes() -> None:
    signature = with_classes(Signature(Task.TENSORS, ()), ("no", "yes"), has_probabilities=True)

    assert with_positive_class(signature, "no").positive_class == "no"
    with pytest.raises(BadModelFolder, match=r"positive_class = 'maybe', but the classes are \['no', 'yes'\]"):
        with_positive_class(signature, "maybe")
