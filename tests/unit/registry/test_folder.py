"""Every mistake in a model folder is named."""

import json
from pathlib import Path
from typing import Any

import pytest

from mlp.errors import BadModelFolder
from mlp.registry.folder import read_folder
from mlp.signature import DType, Field, Task

_FULL = """
[model]
runtime = "python"
name = "churn"
description = "Who leaves"
task = "classification"
classes = ["stays", "leaves"]
positive_class = "leaves"
extra_columns = "ignore"

[inputs]
age = "int64"
plan = { type = "category", categories = ["basic", "plus"], unknown = "count", nullable = true }
price = { type = "float64", minimum = 0, maximum = 9.5 }

[inputs.image]
type = "float32"
shape = [2, -1]

[feedback]
label_horizon = "1.5d"

[record]
mode = "durable"

[trained_with]
python = "3.11.7"

[trained_with.packages]
"scikit-learn" = "1.9.1"

[metrics]
auc = 0.81

[lineage]
commit = "abc"
"""


def _folder(path: Path, toml: str = '[model]\nruntime = "python"\n', example: Any = None) -> Path:
    (path / "mlp.toml").write_text(toml, encoding="utf-8")
    (path / "model.py").write_text("")
    if example is not None:
        (path / "example.json").write_text(example if isinstance(example, str) else json.dumps(example))
    return path


def test_full_folder_is_read_as_written(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("# ours\nnumpy>=2.0  # array\n\npandas==2.2.3\n")
    (tmp_path / "reference.csv.gz").write_bytes(b"")

    folder = read_folder(_folder(tmp_path, _FULL, {"rows": [{"age": 3}], "expected": {"label": ["stays"]}}))

    assert (folder.runtime, folder.name, folder.description) == ("python", "churn", "Who leaves")
    assert (folder.task, folder.classes, folder.positive_class) == (
        Task.CLASSIFICATION,
        ("stays", "leaves"),
        "leaves",
    )
    assert folder.extra_columns == "ignore"
    assert folder.inputs == (
        Field("age", DType.INT64),
        Field("plan", DType.CATEGORY, nullable=True, categories=("basic", "plus"), unknown="count"),
        Field("price", DType.FLOAT64, minimum=0, maximum=9.5),
        Field("image", DType.FLOAT32, shape=(2, -1)),
    )
    assert folder.outputs is None
    assert (folder.label_horizon_seconds, folder.record) == (129_600.0, "durable")
    assert (folder.trained_with_python, folder.trained_with_packages) == ("3.11.7", {"scikit-learn": "1.9.1"})
    assert (folder.metrics, folder.lineage) == ({"auc": 0.81}, {"commit": "abc"})
    assert folder.requirements == ((2, "numpy>=2.0"), (4, "pandas==2.2.3"))
    assert folder.example is not None
    assert (folder.example.rows, folder.example.expected) == (({"age": 3},), {"label": ["stays"]})
    assert folder.reference == tmp_path / "reference.csv.gz"


def test_smallest_folder_leaves_all_else_open(tmp_path: Path) -> None:
    folder = read_folder(_folder(tmp_path, ""))

    assert folder.runtime == "python"
    assert (folder.task, folder.inputs, folder.example, folder.extra_columns) == (None, None, None, "refuse")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90.0), ("5m", 300.0), ("12h", 43_200.0), ("1d", 86_400.0), ("2 w", 1_209_600.0)]
)
def test_label_horizon_is_read_with_its_unit(tmp_path: Path, text: str, seconds: float) -> None:
    folder = read_folder(_folder(tmp_path, f'[feedback]\nlabel_horizon = "{text}"'))

    assert folder.label_horizon_seconds == seconds


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[model\nruntime = 3", "mlp.toml is not TOML: .*line 1"),
        ("[modle]\nruntime = 'python'", r"mlp.toml: \[modle\] is not known; did you mean 'model'\?"),
        ("model = 3", r"mlp.toml: model must be a table, \[model\], it is 3"),
        ("[model]\nrun_time = 'python'", r"mlp.toml, \[model\]: 'run_time' is not known; did you mean 'runtime'\?"),
        ("[model]\nruntime = 3", r"\[model\]: runtime = 3 must be text in quotes"),
        ("[model]\ntask = 'classify'", r'\[model\]: task = \'classify\' must be "classification" or "regression"'),
        ("[model]\nclasses = 'a'", r"\[model\]: classes = 'a' must be a list of two or more different labels"),
        ("[model]\nclasses = ['a', 'a']", "must be a list of two or more different labels"),
        ("[model]\nclasses = ['a', 'b']\npositive_class = 'c'", "positive_class = 'c' is not one of classes"),
        ("[model]\nextra_columns = 'drop'", 'extra_columns = \'drop\' must be "refuse" or "ignore"'),
        ("[inputs]", r"\[inputs\] must name at least one column"),
        ("[inputs]\nage = 3", r"\[inputs\]: age = 3 must be a type, such as \"int64\""),
        ("[inputs]\nage = 'int'", r"\[inputs\]: field 'age': unknown type 'int'; known are int64"),
        ("[inputs]\nage = { nullable = true }", r"\[inputs\]: age has no type"),
        ("[inputs]\nage = { type = 'int64', min = 0 }", "'min' of age is not known; did you mean 'minimum'"),
        ("[inputs]\nplan = 'category'", "field 'plan': a category needs its categories"),
        ("[inputs]\nage = { type = 'int64', minimum = 'a' }", "minimum = 'a' is not allowed: expected a number"),
        ("[feedback]\nlabel_horizon = 'a day'", 'label_horizon = "a day" must be such as "12h"'),
        ("[feedback]\nlabel_horizon = 3", "label_horizon = 3 must be text in quotes"),
        ("[record]\nmode = 'always'", 'mode = \'always\' must be "on" or "durable" or "off"'),
        ("[trained_with]\npackages = 3", r"packages = 3 must be a table, \[trained_with.packages\]"),
        ("[trained_with.packages]\nnumpy = 2", r'\[trained_with.packages\]: "numpy" = 2 must be a version in quotes'),
        ("[metrics]\nauc = [1]", r"\[metrics\]: auc = \[1\] must be text, a number, true or false"),
        ("lineage = 'x'", r"lineage must be a table, \[lineage\]"),
        ("[model]\nruntime = 'onnx'", 'has no model.onnx, which runtime = "onnx" needs'),
    ],
)
def test_mistake_in_mlp_toml_is_named(tmp_path: Path, toml: str, said: str) -> None:
    with pytest.raises(BadModelFolder, match=said):
        read_folder(_folder(tmp_path, toml))


@pytest.mark.parametrize(
    ("example", "said"),
    [
        ("{", "example.json is not JSON: .*line 1"),
        ('{"rows": [{"x": NaN}]}', "NaN is no JSON number; write null"),
        ([1], "example.json must be an object"),
        ({"row": []}, "'row' is not known; did you mean 'rows'"),
        ({"rows": []}, '"rows" must be a list of one or more'),
        ({"rows": [3]}, '"rows" must be a list of one or more objects or lists'),
        ({"rows": [{}], "expected": []}, '"expected" must be an object of lists'),
        (
            {"rows": [{}], "expected": {"label": [1, 2]}},
            'expected", "label": expected a list of 1 values, got 2 values',
        ),
    ],
)
def test_mistake_in_example_json_is_named(tmp_path: Path, example: Any, said: str) -> None:
    with pytest.raises(BadModelFolder, match=said):
        read_folder(_folder(tmp_path, example=example))


def test_folder_without_mlp_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModelFolder, match=r"has no mlp\.toml; `mlp models new` writes a folder"):
        read_folder(tmp_path)


def test_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("")

    with pytest.raises(BadModelFolder, match="is no folder"):
        read_folder(tmp_path / "model")


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mlp.toml").write_bytes(b"\xff\xfe")

    with pytest.raises(BadModelFolder, match=r"mlp\.toml is not UTF-8 text"):
        read_folder(tmp_path)


def test_runtime_that_two_files_could_have_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "model.txt").write_text("")
    (tmp_path / "model.onnx").write_text("")

    with pytest.raises(BadModelFolder, match="say which runtime loads the model"):
        read_folder(_folder(tmp_path, "[model]"))


@pytest.mark.parametrize("name", ["queue.py", "mlp.py", "pandas.py"])
def test_module_that_could_not_be_imported_for_its_name_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("")

    with pytest.raises(BadModelFolder, match=f"{name} has the name of a module of .*: rename it"):
        read_folder(_folder(tmp_path))


@pytest.mark.parametrize("name", ["model.joblib", "deep.pkl"])
def test_pickle_anywhere_in_the_folder_is_seen(tmp_path: Path, name: str) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / name).write_bytes(b"")

    assert read_folder(_folder(tmp_path)).has_pickle
