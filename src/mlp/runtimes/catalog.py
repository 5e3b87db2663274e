"""Which runtimes there are: four of our own, imported on first use, and those that other packages announce."""

from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from mlp.errors import MissingExtra, UnknownRuntime
from mlp.runtimes.base import LoadedModel, Runtime
from mlp.runtimes.guard import GuardedModel
from mlp.signature import Signature

#: An outside package names its class here: [project.entry-points."mlp.runtimes"] name = "package.module:Class".
ENTRY_POINT_GROUP = "mlp.runtimes"

_OWN = {
    "sklearn": ("mlp.runtimes.sklearn", "SklearnRuntime"),
    "lightgbm": ("mlp.runtimes.lightgbm", "LightGBMRuntime"),
    "onnx": ("mlp.runtimes.onnx", "OnnxRuntime"),
    "python": ("mlp.runtimes.python", "PythonRuntime"),
}


def runtime_names() -> tuple[str, ...]:
    """Names that mlp.toml may give as its runtime, ours first."""
    return (*_OWN, *(name for name in sorted(_announced()) if name not in _OWN))


def _announced() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}


def get_runtime(name: str) -> Runtime:
    """The runtime of that name.

    Raises:
        UnknownRuntime: There is none; the message names those that there are.
        MissingExtra: Another package announces it and cannot be imported.
    """
    made: Any
    if name in _OWN:
        module, class_name = _OWN[name]
        made = getattr(import_module(module), class_name)()
    else:
        point = _announced().get(name)
        if point is None:
            raise UnknownRuntime(f"unknown runtime '{name}'; known are {', '.join(runtime_names())}")
        try:
            made = point.load()()
        except ImportError as error:
            raise MissingExtra(f"the runtime '{name}' of {point.value} cannot be imported: {error}") from error
    runtime: Runtime = made
    return runtime


def load_version(folder: Path, signature: Signature, runtime_name: str, threads: int) -> LoadedModel:
    """The version in the folder, ready to predict.

    Args:
        folder: Unpacked, checksum verified, read-only.
        threads: Threads that one call may use.

    Raises:
        UnknownRuntime: No such runtime.
        MissingExtra: Its framework is not installed.
        VersionRefused: The model does not load; the message says why.
    """
    model = get_runtime(runtime_name).load(folder, signature, threads)
    if isinstance(model, GuardedModel):
        return model
    # Another package's runtime: its errors and answers are kept in order as those of our own are.
    return GuardedModel(signature, folder, threads, model.predict, model.close)
