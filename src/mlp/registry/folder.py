"""Reads a model folder as its author wrote it: mlp.toml, the model's files, example.json; every mistake is named.

Knows the form alone: nothing is loaded, and no framework is needed. ``mlp.registry.authoring`` writes such folders.
"""

import difflib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlp.errors import BadModelFolder
from mlp.registry.authoring import folder_from_file, new_folder
from mlp.registry.environment import has_pickle
from mlp.runtimes.source import TAKEN_NAMES
from mlp.signature import Field, Task
from mlp.signature.fields import ExtraColumns, Scalar

if TYPE_CHECKING:
    from mlp.config import RecordMode  # pydantic, which it needs, would double the child's own start-up time

__all__ = ["Example", "ModelFolder", "folder_from_file", "new_folder", "read_folder"]

MODEL_FILES = {"sklearn": "model.joblib", "lightgbm": "model.txt", "onnx": "model.onnx", "python": "model.py"}
REFERENCE_FILES = ("reference.csv", "reference.csv.gz")

_TABLES = ("model", "inputs", "outputs", "feedback", "record", "trained_with", "metrics", "lineage")
_UNIT_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([smhdw])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Example:
    """Rows that the model accepts, and what it must answer.

    Attributes:
        rows: Objects by input name, or lists in the order of the inputs, as JSON has them.
        expected: Answers by output name, one a row; None where the author gave none.
    """

    rows: tuple[Any, ...]
    expected: Mapping[str, Sequence[Any]] | None


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """What the author of a version wrote down; None where it is left to the model or the example.

    Attributes:
        trained_with_python: Version of the Python that wrote the model, such as ``3.11.7``.
        trained_with_packages: Versions by distribution name.
        label_horizon_seconds: Age at which labels count as complete.
        requirements: Lines of requirements.txt without comments, with their numbers.
        reference: The file of training rows that drift is measured against.
    """

    path: Path
    runtime: str
    name: str | None
    description: str | None
    task: Task | None
    classes: tuple[Scalar, ...] | None
    positive_class: Scalar | None
    extra_columns: ExtraColumns
    inputs: tuple[Field, ...] | None
    outputs: tuple[Field, ...] | None
    label_horizon_seconds: float | None
    record: "RecordMode | None"
    trained_with_python: str | None
    trained_with_packages: Mapping[str, str]
    metrics: Mapping[str, Scalar]
    lineage: Mapping[str, Scalar]
    requirements: tuple[tuple[int, str], ...]
    example: Example | None
    reference: Path | None

    @property
    def has_pickle(self) -> bool:
        """Whether the folder holds a pickle, which binds the version to the Python and packages that wrote it."""
        return has_pickle(self.path)


def read_folder(path: Path) -> ModelFolder:
    """The model folder at a path.

    Raises:
        BadModelFolder: The first mistake found, with the file, the setting, the value and what is expected.
    """
    document = _read_toml(path)
    _check_keys(document, _TABLES, "mlp.toml: [{}]")
    model = _Table(
        document, "model", ("runtime", "task", "classes", "positive_class", "extra_columns", "name", "description")
    )
    feedback = _Table(document, "feedback", ("label_horizon",))
    trained_with = _Table(document, "trained_with", ("python", "packages"))
    runtime = model.text("runtime") or _only_runtime(path)
    _check_files(path, runtime)
    classes = model.classes()
    return ModelFolder(
        path=path,
        runtime=runtime,
        name=model.text("name"),
        description=model.text("description"),
        task=_task(model),
        classes=classes,
        positive_class=_positive_class(model, classes),
        extra_columns="ignore" if model.choice("extra_columns", ("refuse", "ignore")) == "ignore" else "refuse",
        inputs=_fields(document, "inputs"),
        outputs=_fields(document, "outputs"),
        label_horizon_seconds=_seconds(feedback.text("label_horizon")),
        record=_Table(document, "record", ("mode",)).record_mode(),
        trained_with_python=trained_with.text("python"),
        trained_with_packages=_texts(trained_with.table("packages"), "trained_with.packages"),
        metrics=_scalars(document, "metrics"),
        lineage=_scalars(document, "lineage"),
        requirements=_requirements(path),
        example=_example(path),
        reference=next((path / name for name in REFERENCE_FILES if (path / name).is_file()), None),
    )


def _read_toml(path: Path) -> dict[str, Any]:
    file = path / "mlp.toml"
    if not path.is_dir():
        raise BadModelFolder(f"{path} is no folder; a model is a folder with mlp.toml, or a single model file")
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise BadModelFolder(f"{path.name} has no mlp.toml; `mlp models new` writes a folder that has one") from None
    except UnicodeDecodeError as error:
        raise BadModelFolder(f"mlp.toml is not UTF-8 text: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise BadModelFolder(f"mlp.toml is not TOML: {error}") from error


def _check_keys(table: Mapping[str, Any], known: Sequence[str], form: str) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}"
            raise BadModelFolder(f"{form.format(key)} is not known; {hint}")


class _Table:
    """One table of mlp.toml, whose settings are read by type."""

    def __init__(self, document: Mapping[str, Any], name: str, known: Sequence[str]) -> None:
        table = document.get(name, {})
        if not isinstance(table, dict):
            raise BadModelFolder(f"mlp.toml: {name} must be a table, [{name}], it is {table!r:.60}")
        _check_keys(table, known, f"mlp.toml, [{name}]: '{{}}'")
        self._table: dict[str, Any] = table
        self._name = name

    def _refusal(self, key: str, expected: str) -> BadModelFolder:
        return BadModelFolder(f"mlp.toml, [{self._name}]: {key} = {self._table[key]!r:.80} must be {expected}")

    def text(self, key: str) -> str | None:
        value = self._table.get(key)
        if value is None or isinstance(value, str):
            return value
        raise self._refusal(key, "text in quotes")

    def choice(self, key: str, allowed: Sequence[str]) -> str | None:
        value = self.text(key)
        if value is None or value in allowed:
            return value
        raise self._refusal(key, " or ".join(f'"{item}"' for item in allowed))

    def table(self, key: str) -> dict[str, Any]:
        value = self._table.get(key, {})
        if isinstance(value, dict):
            return value
        raise self._refusal(key, f"a table, [{self._name}.{key}]")

    def scalar(self, key: str) -> Scalar | None:
        value = self._table.get(key)
        if value is None or isinstance(value, str | bool | int | float):
            return value
        raise self._refusal(key, "text, a number, true or false")

    def classes(self) -> tuple[Scalar, ...] | None:
        value = self._table.get("classes")
        if value is None:
            return None
        is_list = isinstance(value, list) and all(isinstance(item, str | bool | int | float) for item in value)
        if not is_list or len(set(value)) != len(value) or len(value) < 2:
            raise self._refusal("classes", "a list of two or more different labels")
        return tuple(value)

    def record_mode(self) -> "RecordMode | None":
        modes: dict[str | None, RecordMode | None] = {None: None, "on": "on", "durable": "durable", "off": "off"}
        return modes[self.choice("mode", ("on", "durable", "off"))]


def _task(model: _Table) -> Task | None:
    text = model.choice("task", [task.value for task in Task])
    return None if text is None else Task(text)


def _positive_class(model: _Table, classes: tuple[Scalar, ...] | None) -> Scalar | None:
    positive = model.scalar("positive_class")
    if positive is not None and classes is not None and positive not in classes:
        raise BadModelFolder(
            f"mlp.toml, [model]: positive_class = {positive!r} is not one of classes = {list(classes)}"
        )
    return positive


def _fields(document: Mapping[str, Any], table_name: str) -> tuple[Field, ...] | None:
    table = document.get(table_name)
    if table is None:
        return None
    if not isinstance(table, dict) or not table:
        raise BadModelFolder(f'mlp.toml: [{table_name}] must name at least one column, such as age = "int64"')
    return tuple(_field(table_name, name, setting) for name, setting in table.items())


def _field(table_name: str, name: str, setting: Any) -> Field:
    if isinstance(setting, str):
        setting = {"type": setting}
    if not isinstance(setting, dict):
        raise BadModelFolder(
            f"mlp.toml, [{table_name}]: {name} = {setting!r:.60} must be a type, "
            'such as "int64", or { type = "int64", … }'
        )
    if "type" not in setting:
        raise BadModelFolder(f'mlp.toml, [{table_name}]: {name} has no type, such as type = "int64"')
    known = ("type", "nullable", "minimum", "maximum", "categories", "unknown", "shape")
    _check_keys(setting, known, f"mlp.toml, [{table_name}]: '{{}}' of {name}")
    try:
        return Field.from_json({"name": name, **setting})
    except BadModelFolder as error:
        raise BadModelFolder(f"mlp.toml, [{table_name}]: {error.message}") from error


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    found = _DURATION.fullmatch(text)
    if found is None:
        raise BadModelFolder(f'mlp.toml, [feedback]: label_horizon = "{text}" must be such as "12h", "1d" or "2w"')
    return float(found[1]) * _UNIT_SECONDS[found[2]]


def _texts(table: Mapping[str, Any], name: str) -> dict[str, str]:
    for key, value in table.items():
        if not isinstance(value, str):
            raise BadModelFolder(f'mlp.toml, [{name}]: "{key}" = {value!r:.60} must be a version in quotes')
    return dict(table)


def _scalars(document: Mapping[str, Any], name: str) -> dict[str, Scalar]:
    table = document.get(name, {})
    if not isinstance(table, dict):
        raise BadModelFolder(f"mlp.toml: {name} must be a table, [{name}], it is {table!r:.60}")
    for key, value in table.items():
        if not isinstance(value, str | bool | int | float):
            raise BadModelFolder(f"mlp.toml, [{name}]: {key} = {value!r:.60} must be text, a number, true or false")
    return dict(table)


def _only_runtime(path: Path) -> str:
    present = [runtime for runtime, file in MODEL_FILES.items() if (path / file).is_file()]
    frameworks = [runtime for runtime in present if runtime != "python"]
    found = frameworks or present
    if len(found) != 1:
        known = ", ".join(f"{file} ({runtime})" for runtime, file in MODEL_FILES.items())
        raise BadModelFolder(
            f"mlp.toml, [model]: say which runtime loads the model, runtime = …; known files are {known}"
        )
    return found[0]


def _check_files(path: Path, runtime: str) -> None:
    file = MODEL_FILES.get(runtime)
    if file is not None and not (path / file).is_file():
        raise BadModelFolder(f'{path.name} has no {file}, which runtime = "{runtime}" needs')
    for module in sorted(path.glob("*.py")):
        if module.stem in TAKEN_NAMES:
            raise BadModelFolder(
                f"{module.name} has the name of a module of Python, MLP or a framework, which would be imported "
                "instead: rename it"
            )


def _requirements(path: Path) -> tuple[tuple[int, str], ...]:
    file = path / "requirements.txt"
    if not file.is_file():
        return ()
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise BadModelFolder(f"requirements.txt is not UTF-8 text: {error}") from error
    # A comment begins at the line's start or after a blank, so that a fragment of a URL is none.
    bare = [(number, re.sub(r"(^|\s)#.*", "", line).strip()) for number, line in enumerate(lines, start=1)]
    return tuple((number, line) for number, line in bare if line)


def _example(path: Path) -> Example | None:
    file = path / "example.json"
    if not file.is_file():
        return None
    try:
        document = json.loads(file.read_bytes(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadModelFolder(f"example.json is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise BadModelFolder('example.json must be an object: {"rows": […]}')
    _check_keys(document, ("rows", "expected"), "example.json: '{}'")
    rows = document.get("rows")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict | list) for row in rows):
        raise BadModelFolder('example.json: "rows" must be a list of one or more objects or lists')
    return Example(tuple(rows), _expected(document.get("expected"), len(rows)))


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON number; write null for a missing value")


def _expected(expected: Any, rows: int) -> Mapping[str, Sequence[Any]] | None:
    if expected is None:
        return None
    if not isinstance(expected, dict) or not expected:
        raise BadModelFolder('example.json: "expected" must be an object of lists, such as {"label": ["yes", "no"]}')
    for name, values in expected.items():
        if not isinstance(values, list) or len(values) != rows:
            got = f"{len(values)} values" if isinstance(values, list) else f"{values!r:.40}"
            raise BadModelFolder(f'example.json: "expected", "{name}": expected a list of {rows} values, got {got}')
    return expected
