"""A version is tried out: its signature completed, its answers compared, what differs named. In this process."""

import json
import sys
from pathlib import Path
from typing import Any

import joblib
import lightgbm
import numpy as np
import pandas as pd
import pytest
from skl2onnx import to_onnx
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from mlp.errors import AcceptanceFailed, BadModelFolder, EnvironmentMismatch, MLPError, ModelFailed, SignatureMismatch
from mlp.registry.authoring import folder_from_file
from mlp.registry.trial import AcceptanceReport, run_trial
from mlp.signature import DType, Field, Task

_VECTOR = '[model]\n{model}\n[inputs]\nx = {{ type = "float64", shape = [2] }}\n'
_LOAD = "import numpy as np\ndef load(folder): return None\n"


def _own(path: Path, predict: str, *, model: str = "", rows: int = 3, expected: Any = None, toml: str = "") -> Path:
    """A folder of own code on arrays, which needs no pandas."""
    (path / "mlp.toml").write_text(_VECTOR.format(model=model) + toml)
    (path / "model.py").write_text(f"{_LOAD}def predict(model, arrays):\n    {predict}\n")
    example: dict[str, Any] = {"rows": [{"x": [float(row), 0.5]} for row in range(rows)]}
    if expected is not None:
        example["expected"] = expected
    (path / "example.json").write_text(json.dumps(example))
    return path


def _run(path: Path, *, allow_mismatch: bool = False) -> AcceptanceReport:
    return run_trial(path, allow_mismatch=allow_mismatch, threads=1)


def _people(rows: int = 60) -> pd.DataFrame:
    random = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "age": random.integers(18, 80, rows),
            "income": random.normal(50, 9, rows).round(1),
            "plan": random.choice(["basic", "plus"], rows),
        }
    )


def test_pickle_with_a_csv_is_completed_and_its_label_column_left_out(tmp_path: Path) -> None:
    people = _people()
    transformer = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["plan"]), remainder=SimpleImputer())
    churned = np.where(people["age"] > 50, "yes", "no")
    joblib.dump(make_pipeline(transformer, LogisticRegression()).fit(people, churned), tmp_path / "m.joblib")
    people.assign(churned=churned).to_csv(tmp_path / "rows.csv", index=False)
    folder_from_file(tmp_path / "m.joblib", tmp_path / "made", example=tmp_path / "rows.csv")

    report = _run(tmp_path / "made")

    assert report.signature.inputs == (
        Field("age", DType.INT64),
        Field("income", DType.FLOAT64),
        Field("plan", DType.CATEGORY, categories=("basic", "plus"), unknown="count"),
    )
    assert (report.signature.task, report.signature.classes) == (Task.CLASSIFICATION, ("no", "yes"))
    assert report.left_out == ("churned",)
    assert "left out: churned" in report.warnings[-1]
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    said = f"Note: model.joblib does not say which Python wrote it; it was tried out with {here}."
    assert said in report.warnings
    assert {"scikit-learn", "numpy"} <= report.environment.packages.keys()
    assert "psutil" not in report.environment.packages
    assert "churned" not in report.example[0]


def test_lightgbm_without_an_example_is_tried_with_a_made_up_row(tmp_path: Path) -> None:
    people = _people().assign(plan=lambda frame: frame["plan"].astype("category"))
    data = lightgbm.Dataset(people, people["age"] > 50)
    lightgbm.train({"objective": "binary", "verbose": -1}, data, 3).save_model(tmp_path / "model.txt")
    folder_from_file(tmp_path / "model.txt", tmp_path / "made", settings={"classes": ["stays", "leaves"]})

    report = _run(tmp_path / "made")

    assert report.signature.classes == ("stays", "leaves")
    assert report.example == ({"age": 0.0, "income": 0.0, "plan": "basic"},)
    assert report.warnings == (
        "there is no example, so a made-up row was predicted; example.json makes this a real trial",
    )


def test_onnx_classifier_takes_the_columns_of_its_example(tmp_path: Path) -> None:
    features = _people()[["age", "income"]].to_numpy(np.float32)
    estimator = LogisticRegression().fit(features, features[:, 0] > 50)
    (tmp_path / "m.onnx").write_bytes(to_onnx(estimator, features[:1]).SerializeToString())
    folder_from_file(tmp_path / "m.onnx", tmp_path / "made", example=[{"age": 41, "income": 50.5}])

    report = _run(tmp_path / "made")

    assert report.signature.inputs == (Field("age", DType.FLOAT32), Field("income", DType.FLOAT32))
    assert report.signature.classes == (0, 1)


def test_regression_of_several_values_becomes_tensors(tmp_path: Path) -> None:
    features = _people()[["age", "income"]]
    joblib.dump(LinearRegression().fit(features, features), tmp_path / "m.joblib")
    folder_from_file(tmp_path / "m.joblib", tmp_path / "made", example=[{"age": 41, "income": 50.5}])

    report = _run(tmp_path / "made")

    assert report.signature.task is Task.TENSORS
    assert report.signature.outputs == (Field("output", DType.FLOAT64, shape=(2,)),)


@pytest.mark.parametrize(
    ("predict", "model", "task"),
    [
        ("return arrays['x'].sum(axis=1)", "", Task.REGRESSION),
        ("return arrays['x'] / arrays['x'].sum(axis=1, keepdims=True)", "classes = ['a', 'b']", Task.CLASSIFICATION),
        ("return arrays['x']", "", Task.TENSORS),
        ("return {'twice': arrays['x'] * 2, 'name': ['n'] * len(arrays['x'])}", "", Task.TENSORS),
        ("return ['a'] * len(arrays['x'])", "", Task.CLASSIFICATION),
        ("return arrays['x'][:, 0].astype(int)", "task = 'regression'", Task.REGRESSION),
    ],
)
def test_task_of_own_code_is_told_or_inferred(tmp_path: Path, predict: str, model: str, task: Task) -> None:
    report = _run(_own(tmp_path, predict, model=model))

    assert report.signature.task is task
    assert report.warnings == ()


def test_report_survives_its_journey_as_json(tmp_path: Path) -> None:
    report = _run(_own(tmp_path, "return arrays['x'].sum(axis=1)"))

    assert AcceptanceReport.from_json(json.loads(json.dumps(report.to_json()))) == report


def test_report_measures_time_and_memory(tmp_path: Path) -> None:
    report = _run(_own(tmp_path, "return arrays['x'].sum(axis=1)"))

    assert min(report.load_seconds, report.batch_row_seconds, report.single_row_seconds) > 0
    assert report.memory_bytes is None or report.memory_bytes > 10**7


def test_rows_that_depend_on_each_other_are_named(tmp_path: Path) -> None:
    report = _run(_own(tmp_path, "return arrays['x'][:, 0] - arrays['x'][:, 0].mean()"))

    assert len(report.warnings) == 1
    assert report.warnings[0].startswith("the answer to row 0 depends on the rows predicted with it: 'value' is 0.0")


@pytest.mark.filterwarnings("ignore")
def test_warnings_while_predicting_are_reported_once_each(tmp_path: Path) -> None:
    report = _run(_own(tmp_path, "return np.ones(len(arrays['x'])) * (np.float64(1) / np.float64(0) > 0)"))

    assert report.warnings == ("while predicting, RuntimeWarning: divide by zero encountered in scalar divide",)


def test_version_that_a_pickle_was_trained_with_must_be_here_or_be_allowed(tmp_path: Path) -> None:
    toml = '[trained_with]\npython = "3.11.7"\n[trained_with.packages]\n"scikit-learn" = "1.4.2"\n'
    folder = _own(tmp_path, "return arrays['x'].sum(axis=1)", toml=toml)
    (folder / "part.joblib").write_bytes(b"")

    with pytest.raises(EnvironmentMismatch, match=r"trained with scikit-learn 1\.4\.2, this server has"):
        _run(folder)

    report = _run(folder, allow_mismatch=True)
    assert any(text.startswith("trained with scikit-learn 1.4.2") for text in report.warnings)
    assert report.trained_with == {"python": "3.11.7", "scikit-learn": "1.4.2"}


@pytest.mark.parametrize(
    ("predict", "options", "error", "said"),
    [
        ("return arrays['y']", {}, ModelFailed, "model.py line 4, in predict: KeyError: 'y'"),
        ("return [1.0]", {"model": "task = 'regression'"}, ModelFailed, "was given 3 rows and returned 1 rows"),
        ("return np.full(len(arrays['x']), np.nan)", {}, ModelFailed, "returned nan as 'value' of row 0"),
        ("return arrays['x'][:, 0].astype(int)", {}, AcceptanceFailed, "whole numbers, which may be labels or values"),
        (
            "return arrays['x']",
            {"model": "classes = ['a', 'b']"},
            AcceptanceFailed,
            r"row 0 of the example: \[0.0, 0.5\] are no probabilities",
        ),
        (
            "return arrays['x'].sum(axis=1)",
            {"expected": {"value": [0.5, 1.5, 9.0]}},
            AcceptanceFailed,
            "row 2 of the example: expected 'value' to be 9.0, the model answers 2.5",
        ),
        (
            "return arrays['x'].sum(axis=1)",
            {"model": "positive_class = 'a'"},
            BadModelFolder,
            "positive_class = 'a', but the classes are unknown",
        ),
    ],
)
def test_version_whose_answers_are_not_in_order_is_refused(
    tmp_path: Path, predict: str, options: Any, error: type[MLPError], said: str
) -> None:
    with pytest.raises(error, match=said):
        _run(_own(tmp_path, predict, **options))


def test_example_that_does_not_fit_the_inputs_is_refused(tmp_path: Path) -> None:
    folder = _own(tmp_path, "return arrays['x'].sum(axis=1)")
    (folder / "example.json").write_text('{"rows": [{"x": [1, 2, 3]}]}')

    with pytest.raises(SignatureMismatch, match="the example does not fit the signature: input 'x', row 0"):
        _run(folder)
