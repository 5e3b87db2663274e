"""LightGBM: answers bit-equal to the booster's on a frame, without making the frame."""

from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest

from mlp.errors import ModelFailed, VersionRefused
from mlp.runtimes.answers import with_classes
from mlp.runtimes.lightgbm import LightGBMRuntime
from mlp.signature import DType, Field, Signature, Task
from mlp.signature.batch import from_rows

_INPUTS = (
    Field("age", DType.FLOAT64, nullable=True),
    Field("home_town", DType.CATEGORY, categories=("Ulm", "Bonn", "Kiel"), unknown="count", nullable=True),
    Field("is_new", DType.FLOAT64, nullable=True),
    Field("shelf", DType.INT64, nullable=True),
)


def _frame(rows: int = 300) -> pd.DataFrame:
    random = np.random.default_rng(3)
    towns = random.choice(["Ulm", "Bonn", "Kiel"], rows)
    return pd.DataFrame(
        {
            "age": random.normal(40, 9, rows),
            "home town": pd.Categorical(towns, categories=["Ulm", "Bonn", "Kiel"]),
            "is_new": random.random(rows) > 0.5,
            "shelf": pd.Categorical(random.choice([30, 10, 20], rows), categories=[30, 10, 20]),
        }
    )


def _booster(folder: Path, target: Any, **parameters: Any) -> lightgbm.Booster:
    frame = _frame()
    booster = lightgbm.train(
        {"verbose": -1, "num_leaves": 4, "num_threads": 1, **parameters}, lightgbm.Dataset(frame, target), 4
    )
    booster.save_model(folder / "model.txt")
    return booster


def _rows(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    rows = zip(frame["age"], frame["home town"], frame["is_new"], frame["shelf"], strict=True)
    return [(float(age), town, float(is_new), int(shelf)) for age, town, is_new, shelf in rows]


def _late(frame: pd.DataFrame) -> Any:
    return (frame["age"] + 9 * (frame["home town"] == "Bonn") + 4 * (frame["shelf"] == 10) > 42).astype(int)


def test_description_tells_inputs_categories_and_classes(tmp_path: Path) -> None:
    _booster(tmp_path, _late(_frame()), objective="binary")

    described = LightGBMRuntime().describe(tmp_path)

    assert described.signature is not None
    assert described.signature.inputs == (
        Field("age", DType.FLOAT64, nullable=True),
        Field("home_town", DType.CATEGORY, categories=("Ulm", "Bonn", "Kiel"), unknown="count"),
        Field("is_new", DType.FLOAT64, nullable=True),
        Field("shelf", DType.INT64, nullable=True),
    )
    assert described.signature.classes == (0, 1)


def test_probabilities_of_two_classes_are_bit_equal_to_the_booster_s(tmp_path: Path) -> None:
    frame = _frame()
    booster = _booster(tmp_path, _late(frame), objective="binary")
    signature = with_classes(Signature(Task.TENSORS, _INPUTS), ("on time", "late"), has_probabilities=True)

    outputs = LightGBMRuntime().load(tmp_path, signature, 1).predict(from_rows(signature, _rows(frame)))

    late = np.asarray(booster.predict(frame))
    assert np.array_equal(outputs["probabilities"], np.column_stack([1 - late, late]))
    assert outputs["label"].tolist() == np.where(late > 0.5, "late", "on time").tolist()


def test_nulls_and_unknown_categories_are_missing_values(tmp_path: Path) -> None:
    booster = _booster(tmp_path, _late(_frame()), objective="binary")
    signature = with_classes(Signature(Task.TENSORS, _INPUTS), (0, 1), has_probabilities=True)
    batch = from_rows(signature, [(None, None, None, None), (40.0, "Rom", 1.0, 99)])

    outputs = LightGBMRuntime().load(tmp_path, signature, 1).predict(batch)

    expected = booster.predict(np.array([[np.nan] * 4, [40.0, np.nan, 1.0, np.nan]]))
    assert np.array_equal(outputs["probabilities"][:, 1], expected)


def test_several_classes_and_values_are_told_apart(tmp_path: Path) -> None:
    frame = _frame()
    town = frame["home town"].cat.codes.to_numpy()
    multiclass = _booster(tmp_path, town, objective="multiclass", num_class=3)
    described = LightGBMRuntime().describe(tmp_path)
    assert described.signature is not None
    outputs = (
        LightGBMRuntime()
        .load(tmp_path, with_classes(Signature(Task.TENSORS, _INPUTS), (0, 1, 2), has_probabilities=True), 1)
        .predict(from_rows(described.signature, _rows(frame)))
    )
    assert described.signature.classes == (0, 1, 2)
    assert np.array_equal(outputs["probabilities"], multiclass.predict(frame))

    regression = _booster(tmp_path, frame["age"], objective="regression")
    signature = LightGBMRuntime().describe(tmp_path).signature
    assert signature is not None
    values = LightGBMRuntime().load(tmp_path, signature, 1).predict(from_rows(signature, _rows(frame)))

    assert signature.task is Task.REGRESSION
    assert np.array_equal(values["value"], regression.predict(frame))


def test_ordered_categories_are_placed_by_the_declared_inputs(tmp_path: Path) -> None:
    frame = _frame()
    size = pd.Categorical(np.random.default_rng(1).choice(["s", "m", "l"], len(frame)), ["s", "m", "l"], ordered=True)
    frame = pd.DataFrame({"size": size, "age": frame["age"]})
    lightgbm.train({"verbose": -1}, lightgbm.Dataset(frame, size.codes), 3).save_model(tmp_path / "model.txt")
    declared = Signature(
        Task.REGRESSION, (Field("size", DType.CATEGORY, categories=("s", "m", "l")), Field("age", DType.FLOAT64))
    )
    undeclared = Signature(Task.REGRESSION, (Field("size", DType.FLOAT64), Field("age", DType.FLOAT64)))
    rows = list(zip(frame["size"], frame["age"], strict=True))

    outputs = LightGBMRuntime().load(tmp_path, declared, 1).predict(from_rows(declared, rows))

    expected = lightgbm.Booster(model_file=tmp_path / "model.txt").predict(frame)
    assert np.array_equal(outputs["value"], expected)
    with pytest.raises(VersionRefused, match="trained with 1 category columns and does not say which"):
        LightGBMRuntime().load(tmp_path, undeclared, 1)


def test_text_input_that_is_no_category_of_the_model_is_refused(tmp_path: Path) -> None:
    _booster(tmp_path, _late(_frame()), objective="binary")
    inputs = (Field("age", DType.STRING), *_INPUTS[1:])

    with pytest.raises(VersionRefused, match="'age' is string; for this model it must be a number, or a category"):
        LightGBMRuntime().load(tmp_path, Signature(Task.REGRESSION, inputs), 1)


def test_preprocess_may_hand_a_frame_to_the_booster(tmp_path: Path) -> None:
    frame = _frame()
    booster = _booster(tmp_path, frame["age"], objective="regression")
    (tmp_path / "model.py").write_text(
        "import pandas as pd\n"
        "def preprocess(frame):\n"
        "    return pd.DataFrame({'age': frame['age'] * 2, 'home town': pd.Categorical(['Ulm'] * len(frame),\n"
        "        categories=['Ulm', 'Bonn', 'Kiel']), 'is_new': True,\n"
        "        'shelf': pd.Categorical([10] * len(frame), categories=[30, 10, 20])})\n"
    )
    signature = Signature(Task.REGRESSION, (Field("age", DType.FLOAT64),))

    outputs = LightGBMRuntime().load(tmp_path, signature, 1).predict(from_rows(signature, [(20.0,)]))

    expected = booster.predict(
        frame.head(1).assign(age=40.0, is_new=True, **{"home town": frame["home town"].iloc[:1]})
    )
    assert outputs["value"].shape == np.asarray(expected).shape


@pytest.mark.parametrize("text", ["", "tree\nversion=v4\n"])
def test_file_that_is_no_model_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "model.txt").write_text(text)

    with pytest.raises(VersionRefused, match=r"model\.txt does not load: LightGBMError"):
        LightGBMRuntime().describe(tmp_path)


def test_preprocess_that_leaves_columns_out_fails_with_lightgbm_s_own_words(tmp_path: Path) -> None:
    _booster(tmp_path, _frame()["age"], objective="regression")
    (tmp_path / "model.py").write_text("def preprocess(frame):\n    return frame.to_numpy()\n")
    signature = Signature(Task.REGRESSION, (Field("age", DType.FLOAT64),))
    model = LightGBMRuntime().load(tmp_path, signature, 1)

    with pytest.raises(ModelFailed, match="LightGBMError: The number of features in data"):
        model.predict(from_rows(signature, [(20.0,)]))
