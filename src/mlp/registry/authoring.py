"""Writes model folders: the small working one of `mlp models new`, and the one around a single model file."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlp.errors import BadModelFolder
from mlp.signature.infer import Row, example_rows, rows_from_csv

#: Runtime and file name in the folder, by the ending of a single model file.
SINGLE_FILES = {
    ".joblib": ("sklearn", "model.joblib"),
    ".pkl": ("sklearn", "model.joblib"),
    ".pickle": ("sklearn", "model.joblib"),
    ".onnx": ("onnx", "model.onnx"),
    ".txt": ("lightgbm", "model.txt"),
}
#: Rows of an example that are kept: enough to show the values, quick to predict one by one.
EXAMPLE_ROWS_MAX = 20

_MLP_TOML = """\
# What this model takes and returns. `mlp models add {name} {folder}` reads this file.

[model]
name = {quoted_name}
runtime = "python"              # model.py; the others are "sklearn", "lightgbm" and "onnx"
task = "classification"         # or "regression"
classes = [false, true]         # the columns of the probabilities that predict returns
positive_class = true           # its probability is the score that quality and drift look at
# extra_columns = "ignore"      # accept columns that are no inputs; the default refuses them

# Every value of a request is checked against this table. Types: int64, float64, bool, string, category, datetime.
[inputs]
months = {{ type = "int64", minimum = 0 }}
monthly_price = "float64"
support_calls = {{ type = "int64", nullable = true }}
plan = {{ type = "category", categories = ["basic", "plus"], unknown = "refuse" }}  # or "count"

[feedback]
label_horizon = "30d"           # a prediction older than this counts as labelled for good

# [record]
# mode = "durable"              # "on": kept, the default; "durable": on disk before the answer; "off"

# [metrics]
# auc = 0.81
"""

_MODEL_PY = '''\
"""How the model is loaded and asked. Modules beside this file can be imported here, at the top."""

import json
from pathlib import Path

import numpy as np
import pandas as pd


def load(folder: Path) -> dict[str, float]:
    """The model; called once. Read your own file here, such as joblib.load(folder / "my_model.joblib")."""
    return json.loads((folder / "weights.json").read_text())


def preprocess(frame: pd.DataFrame) -> pd.DataFrame:
    """What predict receives. The frame has exactly the columns and types of [inputs]; leave this out if it will do."""
    return pd.DataFrame(
        {
            "months": frame["months"],
            "monthly_price": frame["monthly_price"],
            "support_calls": frame["support_calls"].fillna(0).astype("float64"),
            "is_plus": frame["plan"].eq("plus").astype("float64"),
        }
    )


def predict(model: dict[str, float], features: pd.DataFrame) -> np.ndarray:
    """One row of probabilities for each row of features, in the order of `classes`; each row by itself."""
    score = np.full(len(features), model["intercept"])
    for name in features.columns:
        score += model[name] * features[name].to_numpy(dtype="float64")
    leaves = 1.0 / (1.0 + np.exp(-score))
    return np.column_stack([1.0 - leaves, leaves])
'''

_WEIGHTS = {"intercept": -1.5, "months": -0.05, "monthly_price": 0.04, "support_calls": 0.3, "is_plus": -0.5}

_EXAMPLE = {
    "rows": [
        {"months": 3, "monthly_price": 29.9, "support_calls": 2, "plan": "basic"},
        {"months": 48, "monthly_price": 49.9, "support_calls": None, "plan": "plus"},
    ],
    "expected": {"label": [True, False]},
}

_REQUIREMENTS = """\
# What model.py imports; the acceptance run compares it with what the server has. Pin what a pickle was written with,
# such as scikit-learn==1.9.1.
numpy>=2.0
pandas>=2.2
"""


def new_folder(path: Path, name: str) -> None:
    """Write a small model folder that works as it is: own code that predicts who leaves.

    Args:
        path: A folder that does not exist yet, or is empty.
        name: Name of the model.

    Raises:
        BadModelFolder: The folder holds something, or cannot be written.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise BadModelFolder(f"{path} exists and is not empty: choose another folder, so that nothing is overwritten")
    files = {
        "mlp.toml": _MLP_TOML.format(name=name, folder=path.name, quoted_name=json.dumps(name, ensure_ascii=False)),
        "model.py": _MODEL_PY,
        "weights.json": json.dumps(_WEIGHTS, indent=2) + "\n",
        "requirements.txt": _REQUIREMENTS,
        "example.json": json.dumps(_EXAMPLE, indent=2) + "\n",
    }
    try:
        path.mkdir(parents=True, exist_ok=True)
        for file_name, text in files.items():
            (path / file_name).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise BadModelFolder(f"{path} cannot be written: {error}") from error


def folder_from_file(
    file: Path,
    folder: Path,
    *,
    example: Path | Sequence[Row] | None = None,
    requirements: Path | None = None,
    reference: Path | None = None,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Write the model folder around a single model file; the types of the inputs are left to the acceptance run.

    So columns of the example that a model does not know, such as the label, are left out there, and named.

    Args:
        file: model.joblib, model.pkl, model.onnx, or the model.txt of LightGBM, by any name.
        folder: Where to write; made if absent.
        example: Rows, or a file of them: .csv with a header, .json ({"rows": [...]} or a list), .jsonl.
        requirements: A requirements.txt to go with it.
        reference: Training rows as .csv or .csv.gz, which drift is measured against.
        settings: Further settings of [model], such as ``{"task": "regression"}``; scalars and lists of scalars.

    Raises:
        BadModelFolder: A file is absent or malformed; names it.
    """
    kind = SINGLE_FILES.get(file.suffix.lower())
    if kind is None:
        raise BadModelFolder(f"{file.name}: a model file ends in {', '.join(SINGLE_FILES)}; anything else is a folder")
    runtime, model_file = kind
    rows = example if example is None or not isinstance(example, Path) else read_example(example)
    copies = {model_file: file, "requirements.txt": requirements, _reference_name(reference): reference}
    for source in copies.values():
        if source is not None and not source.is_file():
            raise BadModelFolder(f"there is no file {source}")
    folder.mkdir(parents=True, exist_ok=True)
    for target, source in copies.items():
        if source is not None:
            shutil.copyfile(source, folder / target)
    lines = ["[model]", f'runtime = "{runtime}"']
    # The JSON of scalars and of lists of them is TOML, too.
    lines.extend(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in (settings or {}).items())
    (folder / "mlp.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if rows is not None:
        kept = example_rows(rows, EXAMPLE_ROWS_MAX)
        (folder / "example.json").write_text(json.dumps({"rows": kept}, ensure_ascii=False), encoding="utf-8")


def _reference_name(reference: Path | None) -> str:
    return "reference.csv.gz" if reference is not None and reference.suffix == ".gz" else "reference.csv"


def read_example(path: Path) -> list[Row]:
    """The rows in a file: .csv with a header, .json ({"rows": [...]} or a list of rows), or .jsonl.

    Raises:
        BadModelFolder: The file is absent, empty or malformed; names the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise BadModelFolder(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadModelFolder(f"{path} cannot be read as text: {error}") from error
    readers = {".csv": rows_from_csv, ".json": _rows_from_json, ".jsonl": _rows_from_lines, ".ndjson": _rows_from_lines}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise BadModelFolder(f"{path.name}: an example is a .csv, .json or .jsonl file")
    try:
        rows = reader(text)
    except BadModelFolder as error:
        raise BadModelFolder(f"{path.name}: {error.message}") from error
    if not rows:
        raise BadModelFolder(f"{path.name} holds no rows")
    return rows


def _rows_from_json(text: str) -> list[Row]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadModelFolder(f"not JSON: {error}") from error
    rows = document.get("rows") if isinstance(document, dict) else document
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadModelFolder('expected {"rows": [{…}, …]} or [{…}, …]')
    return rows


def _rows_from_lines(text: str) -> list[Row]:
    rows: list[Row] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise BadModelFolder(f"line {number} is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise BadModelFolder(f'line {number} is not an object such as {{"age": 41}}')
        rows.append(row)
    return rows
