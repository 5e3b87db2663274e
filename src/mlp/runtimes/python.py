"""Own code: model.py with ``load(folder)``, optionally ``preprocess(frame)``, and ``predict(model, frame)``.

``predict`` receives a pandas frame with exactly the signature's types (a dict of arrays where an input has a shape)
and returns an array, a frame, or a dict of arrays; ``mlp.runtimes.answers`` says how each is read.
"""

from pathlib import Path
from typing import Any

from mlp.errors import VersionRefused
from mlp.runtimes.answers import with_classes
from mlp.runtimes.base import Described, LoadedModel
from mlp.runtimes.guard import GuardedModel
from mlp.runtimes.inputs import own_code_input
from mlp.runtimes.source import MODEL_CODE, OwnCode, explained, importing_from
from mlp.signature import Batch, Signature, Task


class PythonRuntime:
    """Loads model.py."""

    name = "python"

    def describe(self, folder: Path) -> Described:
        code, model = _load(folder)
        code.close()
        classes = getattr(model, "classes_", None)
        if getattr(classes, "ndim", None) != 1 or classes is None:
            return Described(signature=None, trained_with={})
        # What scikit-learn's estimators call their classes; own code that loads one need not repeat them.
        known = with_classes(Signature(Task.TENSORS, ()), tuple(classes.tolist()), has_probabilities=True)
        return Described(signature=known, trained_with={})

    def load(self, folder: Path, signature: Signature, threads: int) -> LoadedModel:
        code, model = _load(folder)
        predict, preprocess = code.find("predict"), code.find("preprocess")
        build = own_code_input(signature)

        def answer(batch: Batch) -> Any:
            frame = build(batch)
            return predict(model, frame if preprocess is None else preprocess(frame))

        return GuardedModel(signature, folder, threads, answer, code.close)


def _load(folder: Path) -> tuple[OwnCode, Any]:
    if not (folder / MODEL_CODE).is_file():
        raise VersionRefused(f"the folder has no {MODEL_CODE}, which the runtime python loads")
    with importing_from(folder):
        code = OwnCode(folder)
        try:
            code.require("predict", "predict(model, frame)")
            return code, code.require("load", "load(folder)")(folder)
        except VersionRefused:
            code.close()
            raise
        except (Exception, SystemExit) as error:
            code.close()
            raise VersionRefused(f"the model does not load: {explained(error, folder)}") from error
