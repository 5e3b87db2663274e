"""Model folders as they are sent: which files there are, and what stands in them."""

import importlib.metadata
import json
import platform
import tomllib
import zipfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import joblib
import lightgbm
import numpy as np
import onnx
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlp.client.package import Ingredients, write_package
from mlp.errors import BadInput, BadModelFolder, CannotCapture
from mlp.registry.folder import read_folder
from tests.unit.client.conftest import Notebook

FRAME = pd.DataFrame({"age": [20, 30, 40, 50], "city": ["A", "B", "A", "B"], "rate": [0.5, 1.5, np.nan, 2.5]})
CHURNED = [False, True, False, True]


@dataclass(frozen=True)
class Sent:
    """A package, unpacked."""

    folder: Path
    files: dict[str, bytes]

    @property
    def toml(self) -> dict[str, Any]:
        return tomllib.loads(self.files["mlp.toml"].decode())

    @property
    def example(self) -> Any:
        return json.loads(self.files["example.json"])


def send(tmp_path: Path, model: Any, **ingredients: Any) -> Sent:
    """The package, after the server's own reader has read it."""
    working = tmp_path / f"working{len(list(tmp_path.iterdir()))}"
    working.mkdir()
    archive = write_package(model, Ingredients(**ingredients), working)
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(working / "folder")
        files = {name: opened.read(name) for name in opened.namelist()}
    read_folder(working / "folder")
    return Sent(working / "folder", files)


@pytest.fixture(scope="module")
def model() -> Any:
    columns = make_column_transformer((OneHotEncoder(), ["city"]), (StandardScaler(), ["age"]))
    return make_pipeline(columns, LogisticRegression()).fit(FRAME, CHURNED)


def test_estimator_is_sent_with_what_it_was_made_with(tmp_path: Path, model: Any) -> None:
    sent = send(tmp_path, model, example=FRAME.head(2))

    assert sorted(sent.files) == ["example.json", "mlp.toml", "model.joblib"]
    assert sent.toml["model"] == {"runtime": "sklearn", "task": "classification"}
    assert sent.toml["inputs"] == {"age": "int64", "city": "string", "rate": "float64"}
    assert sent.toml["trained_with"]["python"] == platform.python_version()
    packages = sent.toml["trained_with"]["packages"]
    assert packages["scikit-learn"] == importlib.metadata.version("scikit-learn")
    assert {"numpy", "pandas"} <= set(packages)
    assert "joblib" not in packages


def test_example_is_sent_with_the_answers_given_here(tmp_path: Path, model: Any) -> None:
    sent = send(tmp_path, model, example=FRAME.head(2))

    assert sent.example["rows"] == [{"age": 20, "city": "A", "rate": 0.5}, {"age": 30, "city": "B", "rate": 1.5}]
    assert sent.example["expected"] == {
        "label": [False, True],
        "probabilities": model.predict_proba(FRAME.head(2)).tolist(),
    }


def test_same_model_is_the_same_bytes(tmp_path: Path, model: Any) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()

    archives = [write_package(model, Ingredients(example=FRAME), place) for place in (first, second)]

    assert archives[0].read_bytes() == archives[1].read_bytes()


def test_reference_widens_the_inputs(tmp_path: Path, model: Any) -> None:
    sent = send(tmp_path, model, example=FRAME.head(2), reference=FRAME)

    assert sent.toml["inputs"]["rate"] == {"type": "float64", "nullable": True}
    assert sent.files["reference.csv"].splitlines()[3] == b"40,A,"


def test_preprocess_is_sent_as_source_and_the_raw_rows_as_inputs(tmp_path: Path, notebook: Notebook) -> None:
    notebook.run("""
        import numpy as np
        SCALE = 10
        def prepare(frame):
            return frame.assign(age=np.log1p(frame["age"]) / SCALE)[["age"]]
    """)
    model = LogisticRegression().fit(notebook["prepare"](FRAME), CHURNED)

    sent = send(tmp_path, model, preprocess=notebook["prepare"], example=FRAME[["age", "city"]])

    assert b"preprocess = prepare" in sent.files["model.py"]
    assert list(sent.toml["inputs"]) == ["age", "city"]
    assert sent.example["expected"]["probabilities"] == model.predict_proba(notebook["prepare"](FRAME)).tolist()


def test_preprocess_may_be_a_file(tmp_path: Path, model: Any) -> None:
    path = tmp_path / "prepare.py"
    path.write_text("def preprocess(frame):\n    return frame.assign(age=frame['age'] * 1)\n")

    sent = send(tmp_path, model, preprocess=path, example=FRAME.head(2))

    assert sent.files["model.py"] == path.read_bytes()


def test_preprocess_that_cannot_be_sent_is_named(tmp_path: Path, model: Any) -> None:
    with pytest.raises(CannotCapture, match="preprocess=<lambda> cannot be captured"):
        send(tmp_path, model, preprocess=lambda frame: frame, example=FRAME)


def test_model_fitted_on_a_matrix_takes_an_array_as_example(tmp_path: Path) -> None:
    features = FRAME[["age"]].to_numpy(dtype=float)
    model = LogisticRegression().fit(features, CHURNED)

    sent = send(tmp_path, model, example=features[:2])

    assert sent.toml["inputs"] == {"x0": "float64"}
    assert sent.example["expected"]["label"] == model.predict(features[:2]).tolist()


def test_author_says_what_an_example_cannot_show(tmp_path: Path, model: Any) -> None:
    sent = send(
        tmp_path,
        model,
        example=FRAME.head(2),
        inputs={"age": {"minimum": 0, "maximum": 130}},
        metrics={"auc": np.float64(0.75), "rows": 4},
        lineage={"commit": "8f7fc7b", "is_clean": True},
        label_horizon="7d",
        requirements=["scikit-learn>=1.5", "pandas"],
    )

    assert sent.toml["inputs"]["age"] == {"type": "int64", "minimum": 0, "maximum": 130}
    assert sent.toml["metrics"] == {"auc": 0.75, "rows": 4}
    assert sent.toml["lineage"] == {"commit": "8f7fc7b", "is_clean": True}
    assert sent.toml["feedback"] == {"label_horizon": "7d"}
    assert sent.files["requirements.txt"] == b"scikit-learn>=1.5\npandas\n"


def test_label_horizon_may_be_a_span_of_time(tmp_path: Path, model: Any) -> None:
    sent = send(tmp_path, model, example=FRAME.head(2), label_horizon=timedelta(hours=36))

    assert sent.toml["feedback"] == {"label_horizon": "129600s"}


def test_booster_is_sent_as_text_with_its_answers(tmp_path: Path) -> None:
    parameters = {"objective": "binary", "verbose": -1, "min_data_in_leaf": 1, "min_data_in_bin": 1}
    booster = lightgbm.train(parameters, lightgbm.Dataset(FRAME[["age", "rate"]], [0, 1, 0, 1]), 2)

    sent = send(tmp_path, booster, example=FRAME[["age", "rate"]])

    assert sorted(sent.files) == ["example.json", "mlp.toml", "model.txt"]
    assert sent.toml["trained_with"]["packages"] == {"lightgbm": importlib.metadata.version("lightgbm")}
    assert sent.toml["inputs"]["rate"] == {"type": "float64", "nullable": True}
    assert np.array(sent.example["expected"]["probabilities"]).shape == (4, 2)


def test_booster_needs_no_example(tmp_path: Path) -> None:
    booster = lightgbm.train({"verbose": -1, "min_data_in_leaf": 1}, lightgbm.Dataset(FRAME[["age"]], [1, 2, 3, 4]), 2)

    sent = send(tmp_path, booster)

    assert sorted(sent.files) == ["mlp.toml", "model.txt"]
    assert "inputs" not in sent.toml


def test_onnx_model_says_itself_what_it_takes(tmp_path: Path) -> None:
    model = onnx.helper.make_model(onnx.helper.make_graph([], "empty", [], []))

    sent = send(tmp_path, model, example=[{"x": [1.0, 2.0]}])

    assert sent.toml == {"model": {"runtime": "onnx"}}
    assert sent.example == {"rows": [{"x": [1.0, 2.0]}]}


def test_file_is_sent_unopened_with_the_rows_for_the_server_to_look_at(tmp_path: Path, model: Any) -> None:
    path, rows = tmp_path / "churn.joblib", tmp_path / "rows.csv"
    joblib.dump(model, path)
    FRAME.assign(churned=CHURNED).to_csv(rows, index=False)

    sent = send(tmp_path, path, example=rows)

    assert sent.files["model.joblib"] == path.read_bytes()
    assert sent.toml == {"model": {"runtime": "sklearn"}}
    assert sent.example["rows"][2] == {"age": 40, "city": "A", "rate": None, "churned": False}
    assert "expected" not in sent.example


def test_folder_is_sent_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "churn"
    folder.mkdir()
    (folder / "mlp.toml").write_text('[model]\nruntime = "python"\n')
    (folder / "model.py").write_text("def load(folder): ...\n")

    sent = send(tmp_path, str(folder))

    assert sent.files == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_folder_with_further_ingredients_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is sent as it is: put example, metrics into its files instead"):
        send(tmp_path, tmp_path, example=FRAME, metrics={"auc": 1})


REFUSALS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({}, BadInput, r"without an example the types of the inputs are not known: .* example=X\.head\(\)"),
    ({"example": FRAME.rename(columns={"age": "years"})}, BadInput, "the model fails on the example"),
    ({"example": FRAME, "metrics": {"auc": None}}, BadInput, "metrics: auc = None is not text, a finite number"),
    ({"example": FRAME, "metrics": {"auc": np.nan}}, BadInput, "metrics: auc = nan"),
    ({"example": FRAME, "lineage": {"at": [1]}}, BadInput, r"lineage: at = \[1\]"),
    (
        {"example": FRAME, "label_horizon": "soon"},
        BadInput,
        'label_horizon "soon" is not a number with s, m, h, d or w',
    ),
    ({"example": FRAME, "requirements": "none.txt"}, BadInput, r"requirements: there is no file none\.txt"),
    ({"example": FRAME, "reference": FRAME[["age"]]}, BadInput, "the reference rows lack the inputs city, rate"),
    ({"example": FRAME, "inputs": {"aeg": {}}}, BadInput, "inputs: 'aeg' is not an input"),
    ({"example": FRAME.assign(x=1j)}, BadInput, "a complex cannot be sent"),
    ({"example": FRAME.assign(x=pd.Categorical([1, 2, 1, 2]))}, BadModelFolder, "'x' is a category of int values"),
]


@pytest.mark.parametrize(("ingredients", "kind", "message"), REFUSALS)
def test_ingredient_that_is_not_what_it_should_be_is_refused(
    *, tmp_path: Path, model: Any, ingredients: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        send(tmp_path, model, **ingredients)


def test_model_file_without_example_is_refused_as_well(tmp_path: Path, model: Any) -> None:
    path = tmp_path / "model.joblib"
    joblib.dump(model, path)

    with pytest.raises(BadInput, match=r"without an example .* --example rows\.csv"):
        send(tmp_path, path)
