"""Machine Learning in Production: a trained model becomes a service that is recorded, watched, rolled back.

The public names are the typed client and its results, and the errors. They are imported on first use, so that
``import mlp`` stays cheap.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:  # type checkers take it for true; importing it from typing would cost more than all else here
    from mlp import errors as errors
    from mlp.client import Answer as Answer
    from mlp.client import Client as Client
    from mlp.client import Drift as Drift
    from mlp.client import FeedbackReport as FeedbackReport
    from mlp.client import Field as Field
    from mlp.client import Inference as Inference
    from mlp.client import Job as Job
    from mlp.client import Label as Label
    from mlp.client import Model as Model
    from mlp.client import Prediction as Prediction
    from mlp.client import Quality as Quality
    from mlp.client import Signature as Signature
    from mlp.client import Version as Version
    from mlp.errors import MLPError as MLPError

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Client",
    "Drift",
    "FeedbackReport",
    "Field",
    "Inference",
    "Job",
    "Label",
    "MLPError",
    "Model",
    "Prediction",
    "Quality",
    "Signature",
    "Version",
    "__version__",
    "errors",
]


if not TYPE_CHECKING:  # or a type checker would accept every name

    def __getattr__(name: str) -> object:
        """The public name, imported now and kept."""
        if name not in __all__:
            raise AttributeError(f"module 'mlp' has no attribute '{name}'")
        from importlib import import_module

        if name == "errors":
            return import_module("mlp.errors")  # which binds it here
        value: object = getattr(import_module("mlp.errors" if name == "MLPError" else "mlp.client"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
