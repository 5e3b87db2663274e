"""Own code: load, preprocess and predict of model.py."""

from pathlib import Path

import numpy as np
import pytest

from mlp.errors import ModelFailed, VersionRefused
from mlp.runtimes.answers import with_classes
from mlp.runtimes.python import PythonRuntime
from mlp.signature import DType, Field, Signature, Task
from mlp.signature.batch import from_rows

_VECTOR = Signature(Task.REGRESSION, (Field("x", DType.FLOAT64, shape=(2,)),))
_COLUMN = Signature(Task.REGRESSION, (Field("x", DType.INT64, nullable=True),))


def _folder(folder: Path, text: str) -> Path:
    (folder / "model.py").write_text(text)
    return folder


def test_model_receives_what_preprocess_returned(tmp_path: Path) -> None:
    text = (
        "def load(folder): return float((folder / 'factor').read_text())\n"
        "def preprocess(frame): return frame['x'].fillna(10).to_numpy(dtype='float64')\n"
        "def predict(model, features): return model * features\n"
    )
    (tmp_path / "factor").write_text("2.5")

    model = PythonRuntime().load(_folder(tmp_path, text), _COLUMN, 1)

    assert model.predict(from_rows(_COLUMN, [(2,), (None,)]))["value"].tolist() == [5.0, 25.0]


def test_inputs_with_a_shape_come_as_arrays(tmp_path: Path) -> None:
    text = "def load(folder): return None\ndef predict(model, arrays): return arrays['x'].sum(axis=1)\n"

    model = PythonRuntime().load(_folder(tmp_path, text), _VECTOR, 1)

    assert model.predict(from_rows(_VECTOR, [([1.0, 2.0],)]))["value"].tolist() == [3.0]


def test_description_takes_the_classes_of_a_loaded_estimator(tmp_path: Path) -> None:
    text = (
        "import numpy\nclass Model: classes_ = numpy.array(['a', 'b'])\n"
        "def load(folder): return Model()\ndef predict(model, frame): return []\n"
    )

    described = PythonRuntime().describe(_folder(tmp_path, text))

    assert described.signature == with_classes(Signature(Task.TENSORS, ()), ("a", "b"), has_probabilities=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def load(folder): return 1", r"model.py must define predict\(model, frame\); it does not"),
        ("def predict(model, frame): return 1", r"model.py must define load\(folder\); it does not"),
        (
            "def predict(model, frame): return 1\ndef load(folder):\n    return open(folder / 'gone')",
            "the model does not load: model.py line 3, in load: FileNotFoundError: ",
        ),
    ],
)
def test_code_that_does_not_load_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(VersionRefused, match=said):
        PythonRuntime().load(_folder(tmp_path, text), _VECTOR, 1)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("1 / 0", "the model's code failed: model.py line 3, in predict: ZeroDivisionError: division by zero"),
        ("exit(3)", r"the model's code failed: model.py line 3, in predict: called exit\(3\)"),
        ("return [1.0, 2.0]", "was given 1 rows and returned 2 rows"),
    ],
)
def test_predict_that_fails_is_told_with_its_line(tmp_path: Path, body: str, said: str) -> None:
    text = f"def load(folder): return None\ndef predict(model, arrays):\n    {body}\n"
    model = PythonRuntime().load(_folder(tmp_path, text), _VECTOR, 1)

    with pytest.raises(ModelFailed, match=said):
        model.predict(from_rows(_VECTOR, [([1.0, 2.0],)]))


def test_predict_may_write_into_its_arrays(tmp_path: Path) -> None:
    text = (
        "def load(folder): return None\n"
        "def predict(model, arrays):\n    arrays['x'] *= 0\n    return arrays['x'].sum(axis=1)\n"
    )
    batch = from_rows(_VECTOR, [([1.0, 2.0],)])

    PythonRuntime().load(_folder(tmp_path, text), _VECTOR, 1).predict(batch)

    assert np.array_equal(batch.columns["x"], [[1.0, 2.0]])
