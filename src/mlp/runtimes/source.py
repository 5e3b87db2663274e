"""Own code of a version: model.py and the modules beside it, loaded from source under a name of their own.

Two versions may each have a ``features.py``. While a version loads, its folder answers the imports of the loading
thread before anything installed does; afterwards its modules leave ``sys.modules``, where the next version would
find them. So modules beside model.py are imported at its top, or within ``load``, not while predicting.
"""

import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from itertools import count
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from mlp.errors import ModelFailed, VersionRefused

MODEL_CODE = "model.py"

#: Names that a module beside model.py must not have: those of Python, of MLP, and of the frameworks.
TAKEN_NAMES = sys.stdlib_module_names | {
    *("mlp", "numpy", "scipy", "pandas", "sklearn", "joblib", "lightgbm", "onnx", "onnxruntime", "threadpoolctl")
}

_loading = threading.RLock()  # one version at a time changes sys.modules
_numbers = count(1)


class _SourceLoader(SourceFileLoader):
    """Compiles the source each time: folders of versions are read-only, and bytecode in them is not trusted."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


class _FolderFinder(MetaPathFinder):
    """Finds the modules of one folder, for the one thread that loads a version from it."""

    def __init__(self, folder: Path, names: frozenset[str]) -> None:
        self._folder = str(folder)
        self._names = names
        self._thread_id = threading.get_ident()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del target
        if threading.get_ident() != self._thread_id or fullname.partition(".")[0] not in self._names:
            return None
        places = [self._folder] if path is None else list(path)
        for place in places:
            found = FileFinder(place, (_SourceLoader, SOURCE_SUFFIXES)).find_spec(fullname)
            if found is not None and found.loader is not None:
                return found
        return PathFinder.find_spec(fullname, places)  # a folder without __init__.py


def module_names(folder: Path) -> frozenset[str]:
    """Names that the folder's own modules and packages are imported by; taken names are not among them."""
    files = {path.stem for path in folder.glob("*.py")}
    packages = {path.name for path in folder.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    return frozenset(name for name in files | packages if name not in TAKEN_NAMES)


@contextmanager
def importing_from(folder: Path) -> Iterator[None]:
    """While the block runs, this thread imports the folder's modules before any of the same name elsewhere.

    Blocks other threads that load a version meanwhile.
    """
    names = module_names(folder)
    with _loading:
        elsewhere = _taken_out(names)
        finder = _FolderFinder(folder, names)
        sys.meta_path.insert(0, finder)
        try:
            yield
        finally:
            sys.meta_path.remove(finder)
            _taken_out(names)
            sys.modules.update(elsewhere)


def _taken_out(names: frozenset[str]) -> dict[str, ModuleType]:
    found = [name for name in sys.modules if name.partition(".")[0] in names]
    return {name: sys.modules.pop(name) for name in found}


class OwnCode:
    """The module model.py of one version. Made within ``importing_from``; ``close`` lets go of it.

    Raises:
        VersionRefused: model.py does not import; names the error, its file and its line.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._name = f"mlp_version_{next(_numbers)}"
        path = folder / MODEL_CODE
        spec = spec_from_file_location(self._name, path, loader=_SourceLoader(self._name, str(path)))
        if spec is None or spec.loader is None:
            raise VersionRefused(f"{path} cannot be read as Python source")
        self._module = module_from_spec(spec)
        # Under both names: dataclasses look their module up by the first, pickles may name the second.
        sys.modules[self._name] = sys.modules["model"] = self._module
        try:
            spec.loader.exec_module(self._module)
        except (Exception, SystemExit) as error:
            self.close()
            raise VersionRefused(explained(error, folder)) from error

    def find(self, name: str) -> Any:
        """The function of that name in model.py; None where there is none.

        Raises:
            VersionRefused: The name is there and is no function.
        """
        found = getattr(self._module, name, None)
        if found is not None and not callable(found):
            raise VersionRefused(f"{MODEL_CODE}: '{name}' must be a function, it is a {type(found).__name__}")
        return found

    def require(self, name: str, form: str) -> Any:
        """The function of that name in model.py; ``form`` shows how it is written.

        Raises:
            VersionRefused: There is none.
        """
        found = self.find(name)
        if found is None:
            raise VersionRefused(f"{MODEL_CODE} must define {form}; it does not")
        return found

    def close(self) -> None:
        """Forget the module; may be called twice."""
        sys.modules.pop(self._name, None)


def find_preprocess(folder: Path) -> tuple[OwnCode | None, Any]:
    """The own code of a framework's version and its ``preprocess``; None for both where there is no model.py.

    Raises:
        VersionRefused: model.py does not import, or has no ``preprocess``.
    """
    if not (folder / MODEL_CODE).is_file():
        return None, None
    code = OwnCode(folder)
    try:
        return code, code.require("preprocess", "preprocess(frame)")
    except VersionRefused:
        code.close()
        raise


def explained(error: BaseException, folder: Path) -> str:
    """The error as one sentence: where in the version's own code, type and text, and the remedy where one is known."""
    place = _place(error, folder)
    if isinstance(error, SystemExit):
        return f"{place}called exit({'' if error.code is None else error.code})"
    text = str(error).strip()
    said = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return f"{place}{said}{_remedy(error, folder)}"


def _place(error: BaseException, folder: Path) -> str:
    if isinstance(error, SyntaxError) and error.filename is not None:
        path = Path(error.filename)
        return f"{path.name} line {error.lineno}: " if path.is_relative_to(folder) else ""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(folder):
            within = "" if frame.name == "<module>" else f", in {frame.name}"
            return f"{path.relative_to(folder).as_posix()} line {frame.lineno}{within}: "
    return ""


def _remedy(error: BaseException, folder: Path) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        if error.name.partition(".")[0] in module_names(folder):
            return f". Import it at the top of {MODEL_CODE}: modules beside it can only be imported while it loads"
        return ". Install it where the server runs, and name it in requirements.txt; or put the module beside the model"
    if isinstance(error, AttributeError) and "__main__" in str(error):
        return ". Define it in a module beside the model, such as features.py, and import it from there when training"
    return ""


def model_failed(error: BaseException, folder: Path) -> ModelFailed:
    """The error of a version's code while it predicted, as it is shown to the caller."""
    return ModelFailed(f"the model's code failed: {explained(error, folder)}")
