"""Builds the model folder of a version, as one zip file: mlp.toml, the model, own code, example and reference rows.

Decides what stands in which file; how a model is saved, code captured and an example read is the business of the
modules beside it.
"""

import math
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from mlp.client.answers import Expected, booster_answers, expected_answers
from mlp.client.archive import folder_contents, write_archive
from mlp.client.capture import Captured, capture, captured_file
from mlp.client.captured_check import check_same_frame
from mlp.client.example import Example, example_of, frame_of
from mlp.client.exchange import native, to_json
from mlp.client.inputs import amended, inputs_table, widened
from mlp.client.origins import versions_of
from mlp.client.reference import Reference, reference_of
from mlp.client.saving import SavedModel, saved_file, saved_object
from mlp.client.toml_text import to_toml
from mlp.errors import BadInput
from mlp.signature.fields import Field

Preprocess = Callable[..., Any] | str | Path

_HORIZON = re.compile(r"[0-9]+(\.[0-9]+)?[smhdw]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Ingredients:
    """All that a version is made of besides the model; see ``ModelsClient.add`` for what each may be."""

    preprocess: Preprocess | None = None
    example: Any = None
    reference: Any = None
    requirements: str | Path | Sequence[str] | None = None
    metrics: Mapping[str, Any] | None = None
    lineage: Mapping[str, Any] | None = None
    label_horizon: str | timedelta | None = None
    inputs: Mapping[str, Mapping[str, Any]] | None = None

    @property
    def given(self) -> list[str]:
        """Names of those that are given."""
        return [name for name in self.__dataclass_fields__ if getattr(self, name) is not None]


def write_package(model: Any, ingredients: Ingredients, working: Path) -> Path:
    """The zip file of a model folder, within ``working``; the same ingredients make the same bytes.

    Args:
        model: A fitted estimator, a Booster, an ONNX model, or the path of a file or a folder.
        working: An empty folder, to be deleted afterwards.

    Raises:
        BadInput: The model or an ingredient is not what it should be.
        CannotCapture: The preprocessing or the model needs what cannot be sent; names all of it.
        BadModelFolder: A folder without mlp.toml, or columns of a type that no input has.
    """
    target = working / "version.zip"
    if isinstance(model, str | Path) and Path(model).is_dir():
        if ingredients.given:
            raise BadInput(f"{model} is sent as it is: put {', '.join(ingredients.given)} into its files instead")
        write_archive(folder_contents(Path(model)), target)
        return target
    saved = saved_file(Path(model)) if isinstance(model, str | Path) else saved_object(model, working)
    write_archive(_contents(saved, model, ingredients), target)
    return target


def _contents(saved: SavedModel, model: Any, ingredients: Ingredients) -> dict[str, bytes | Path]:
    captured = _captured(ingredients.preprocess)
    example = None if ingredients.example is None else example_of(ingredients.example, _column_names(model))
    _check_example_is_there(saved, captured, example)
    reference = None if ingredients.reference is None else reference_of(ingredients.reference)
    fields = _fields(saved, captured, example, reference, ingredients.inputs)
    contents: dict[str, bytes | Path] = {saved.file_name: saved.content}
    contents["mlp.toml"] = to_toml(_mlp_toml(saved, captured, fields, ingredients)).encode()
    if captured is not None:
        contents["model.py"] = captured.source.encode()
    if example is not None:
        expected = _expected(saved, model, captured, ingredients.preprocess, example, fields)
        contents["example.json"] = to_json(
            {"rows": example.rows, **({} if expected is None else {"expected": expected})}
        )
    if reference is not None:
        contents[reference.file_name] = reference.content([item.name for item in fields or reference.fields])
    if ingredients.requirements is not None:
        contents["requirements.txt"] = _requirements(ingredients.requirements)
    return contents


def _captured(preprocess: Preprocess | None) -> Captured | None:
    if preprocess is None:
        return None
    if isinstance(preprocess, str | Path):
        return captured_file(Path(preprocess))
    return capture(preprocess)


def _column_names(model: Any) -> list[str] | None:
    """What the estimator calls its columns, if it was fitted on a frame."""
    names = getattr(model, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def _check_example_is_there(saved: SavedModel, captured: Captured | None, example: Example | None) -> None:
    """Files of ONNX and LightGBM describe their inputs; a pickle does not, and nothing describes a frame before
    preprocessing."""
    if example is None and (captured is not None or saved.runtime == "sklearn"):
        # Whoever has a file rather than an object may have given it on the command line.
        of_object = "example=X.head() or the path of a .csv, .json or .jsonl file"
        of_file = '--example rows.csv (in Python: example="rows.csv")'
        raise BadInput(
            "without an example the types of the inputs are not known: give some rows as callers will send them, "
            f"{of_object if saved.was_made_here else of_file}"
        )


def _fields(
    saved: SavedModel,
    captured: Captured | None,
    example: Example | None,
    reference: Reference | None,
    settings: Mapping[str, Mapping[str, Any]] | None,
) -> tuple[Field, ...]:
    """The inputs for mlp.toml; none where the acceptance run does better with the model file and the example.

    It knows which columns of an example file the model was not trained with, such as the label, and which
    categories it was trained with.
    """
    is_for_server = saved.runtime == "onnx" or not saved.was_made_here
    if example is None or (is_for_server and captured is None and settings is None):
        return tuple(Field.from_json({"name": name, **setting}) for name, setting in (settings or {}).items())
    fields = example.fields if reference is None else widened(example.fields, reference.fields)
    return fields if settings is None else amended(fields, settings)


def _mlp_toml(
    saved: SavedModel, captured: Captured | None, fields: Sequence[Field], ingredients: Ingredients
) -> dict[str, Any]:
    model = {"runtime": saved.runtime}
    if saved.task is not None:
        model["task"] = saved.task
    document: dict[str, Any] = {"model": model}
    if fields:
        document["inputs"] = inputs_table(fields)
    if ingredients.label_horizon is not None:
        document["feedback"] = {"label_horizon": _horizon_text(ingredients.label_horizon)}
    trained_with = _trained_with(saved, captured)
    if trained_with:
        document["trained_with"] = trained_with
    for name, table in (("metrics", ingredients.metrics), ("lineage", ingredients.lineage)):
        if table:
            document[name] = _scalars(name, table)
    return document


def _trained_with(saved: SavedModel, captured: Captured | None) -> dict[str, Any]:
    """Versions of this Python and of the packages that the files refer to; of a foreign file nothing is known.

    Not of joblib, though every pickle refers to it: it reads the files of all its versions.
    """
    modules = saved.modules | (frozenset() if captured is None else captured.modules)
    if not saved.was_made_here or not modules:
        return {}
    if saved.runtime == "sklearn" or captured is not None:
        modules |= {"numpy", "pandas"}
    packages = {name: version for name, version in versions_of(modules).items() if name != "joblib"}
    return {"python": platform.python_version(), "packages": packages}


def _horizon_text(horizon: str | timedelta) -> str:
    text = f"{horizon.total_seconds():g}s" if isinstance(horizon, timedelta) else horizon
    if not _HORIZON.fullmatch(text):
        raise BadInput(f'label_horizon "{horizon}" is not a number with s, m, h, d or w behind it, such as "7d"')
    return text


def _scalars(table_name: str, table: Mapping[str, Any]) -> dict[str, Any]:
    scalars: dict[str, Any] = {}
    for name, value in table.items():
        if not isinstance(value, str | bool | int | float):
            try:
                value = native(value)
            except TypeError:
                value = None
        is_scalar = isinstance(value, str | bool | int | float)
        if not is_scalar or (isinstance(value, float) and not math.isfinite(value)):
            raise BadInput(f"{table_name}: {name} = {table[name]!r} is not text, a finite number, true or false")
        scalars[name] = value
    return scalars


def _expected(
    saved: SavedModel,
    model: Any,
    captured: Captured | None,
    preprocess: Preprocess | None,
    example: Example,
    fields: Sequence[Field],
) -> Expected | None:
    """The answers of the model for the example, after the captured code has been seen to do what the original does."""
    frame = None
    if captured is not None:
        frame = frame_of(example, fields or example.fields)
        frame = check_same_frame(captured.source, "preprocess", preprocess if callable(preprocess) else None, frame)
    if not saved.was_made_here or saved.runtime == "onnx":
        return None
    features = frame_of(example, fields or example.fields) if frame is None else frame
    if saved.runtime == "lightgbm":
        return booster_answers(model, features)
    return expected_answers(model, features, saved.task)


def _requirements(given: str | Path | Sequence[str]) -> bytes:
    """The text of requirements.txt: a file's, or one requirement a line.

    Raises:
        BadInput: There is no such file.
    """
    if isinstance(given, str | Path):
        path = Path(given)
        if not path.is_file():
            raise BadInput(f"requirements: there is no file {path}; a list of requirements is taken, too")
        return path.read_bytes()
    return "".join(f"{line}\n" for line in given).encode()
