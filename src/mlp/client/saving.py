"""Writes a model to the file of its runtime, and finds what that file needs of the machine where it is loaded.

Estimators become model.joblib, a Booster of LightGBM model.txt, an ONNX model model.onnx. Frameworks are recognised
without importing them: an object of one has imported it already.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from pickle import PicklingError
from typing import Any

from mlp.client.answers import task_of
from mlp.client.obstacles import FOLDER_FORM, Obstacle, refusal
from mlp.client.origins import Origin, origin_of, root_of
from mlp.client.pickles import PickledName, names_in_pickle
from mlp.errors import BadInput
from mlp.registry.authoring import SINGLE_FILES
from mlp.registry.folder import MODEL_FILES

# Packages whose pickles hold bytecode, which only the Python that made it can run.
_BYTECODE_PICKLERS = frozenset({"cloudpickle", "dill"})
_REMEDY = f"hand the function over as preprocess=…, or {FOLDER_FORM}"


@dataclass(frozen=True, slots=True)
class SavedModel:
    """A model in the file of its runtime.

    Attributes:
        runtime: The name in mlp.toml.
        file_name: What the file is called within the folder.
        content: The file, or what is to stand in it.
        task: classification or regression, where the object says so.
        modules: Modules that the file refers to.
        was_made_here: It was handed over as an object, so this Python is the one that it was made with.
    """

    runtime: str
    file_name: str
    content: bytes | Path
    task: str | None = None
    modules: frozenset[str] = frozenset()
    was_made_here: bool = True


def saved_file(path: Path) -> SavedModel:
    """The model in a file, which is recognised by its ending and not loaded.

    Raises:
        BadInput: Another ending, or no such file.
        CannotCapture: A pickle that refers to code which no server has.
    """
    kind = SINGLE_FILES.get(path.suffix.lower())
    if kind is None:
        raise BadInput(f"{path}: a model is a folder, or a file that ends in {', '.join(SINGLE_FILES)}")
    if not path.is_file():
        raise BadInput(f"there is no file {path}")
    runtime, file_name = kind
    modules = _checked_modules(path, path.name, None) if runtime == "sklearn" else frozenset[str]()
    return SavedModel(runtime, file_name, path, modules=modules, was_made_here=False)


def saved_object(model: Any, working: Path) -> SavedModel:
    """The model in this process, written in the form of its framework.

    Args:
        working: A folder for the file, to be deleted with it.

    Raises:
        BadInput: It is no model of a known framework, or not fitted.
        CannotCapture: It holds code that no server has.
    """
    if _is_instance(model, "lightgbm", "Booster"):
        text: str = model.model_to_string()
        return SavedModel("lightgbm", MODEL_FILES["lightgbm"], text.encode(), modules=frozenset({"lightgbm"}))
    if _is_instance(model, "onnx", "ModelProto"):
        return SavedModel("onnx", MODEL_FILES["onnx"], model.SerializeToString())
    if isinstance(model, type) or not (hasattr(model, "predict") and hasattr(model, "get_params")):
        raise BadInput(
            f"a {type(model).__name__} is not a model that can be registered: give a fitted estimator of scikit-learn "
            f"or LightGBM, a Booster, an ONNX model, a file or a folder; for anything else {FOLDER_FORM}"
        )
    return _saved_estimator(model, working)


def _is_instance(model: Any, module: str, name: str) -> bool:
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(model, kind)


def _saved_estimator(model: Any, working: Path) -> SavedModel:
    import joblib
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    kind = type(model).__name__
    try:
        check_is_fitted(model)
    except NotFittedError as error:
        raise BadInput(f"this {kind} is not fitted: call fit first") from error
    path = working / MODEL_FILES["sklearn"]
    try:
        joblib.dump(model, path)
    except (PicklingError, AttributeError, TypeError) as error:
        # A function that its module does not offer by a name (a lambda, an inner function), or an open resource.
        raise refusal(f"model={kind}", [Obstacle(*_unpicklable(model, error), _REMEDY)]) from error
    return SavedModel("sklearn", path.name, path, task_of(model), _checked_modules(path, f"model={kind}", model))


def _unpicklable(model: Any, error: Exception) -> tuple[str, str, str]:
    """Name, user and reason of what could not be pickled."""
    for parameter, value in _parameters(model):
        name = getattr(value, "__qualname__", "")
        if "<lambda>" in name or "<locals>" in name:
            kind = "a lambda" if name.endswith("<lambda>") else "a function within a function"
            return parameter, "", f"{kind} cannot be pickled"
    return type(model).__name__, "", f"it cannot be pickled ({error})"


def _checked_modules(path: Path, subject: str, model: Any) -> frozenset[str]:
    """The modules that the pickle refers to; all of them can be had elsewhere.

    Raises:
        CannotCapture: Some can not; names each class and function, and the parameter that holds it.
    """
    names = names_in_pickle(path)
    obstacles = [_obstacle(module, name, reason, model) for (module, name), reason in _local_names(names)]
    if obstacles:
        raise refusal(subject, obstacles)
    return frozenset(module for module, _ in names)


def _local_names(names: frozenset[PickledName]) -> Iterator[tuple[PickledName, str]]:
    for module, name in sorted(names):
        if root_of(module) in _BYTECODE_PICKLERS:
            yield (module, name), f"it was pickled as bytecode by {root_of(module)}, which only one Python can run"
        elif module == "__main__":
            yield (module, name), "a pickle holds only its name, and it is defined in your notebook or script"
        elif origin_of(module) is Origin.LOCAL:
            reason = f"a pickle holds only its name, and the module {module} is not installed but lies beside your code"
            yield (module, name), reason


def _obstacle(module: str, name: str, reason: str, model: Any) -> Obstacle:
    users = [
        parameter
        for parameter, value in _parameters(model)
        for thing in (value, type(value))
        if (getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)) == (module, name)
    ]
    return Obstacle(name, ", ".join(users), reason, _REMEDY)


def _parameters(model: Any) -> list[tuple[str, Any]]:
    """The parameters of an estimator and of all its steps, such as ``prepare__func``."""
    return sorted(model.get_params(deep=True).items()) if hasattr(model, "get_params") else []
