"""The names that users of the package may rely on."""

import mlp

# A name added here is a promise; one taken away breaks somebody's code and goes into the change log.
PUBLIC_NAMES = {
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
}


def test_package_exports_exactly_the_public_names() -> None:
    assert set(mlp.__all__) == PUBLIC_NAMES


def test_every_public_name_is_there() -> None:
    missing = [name for name in PUBLIC_NAMES if not hasattr(mlp, name)]

    assert not missing


def test_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    assert mlp.__version__ == version("mlp-stack")
