"""Import statements for modules, and for objects that modules offer."""

import datetime
import os.path
import typing
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
import sklearn.preprocessing
from sklearn.preprocessing import StandardScaler

from mlp.client.importable import from_import, module_imports


@pytest.mark.parametrize(
    ("module", "name", "paths", "statements"),
    [
        (np, "numpy", [("log",)], ["import numpy"]),
        (np, "np", [("log",), ("random", "default_rng")], ["import numpy as np", "import numpy.random"]),
        (os.path, "path", [("join",)], ["import os.path as path"]),
        (os, "os", [("path", "join")], ["import os", "import os.path"]),
        (ElementTree, "ET", [], ["import xml.etree.ElementTree as ET"]),
        (
            sklearn,
            "sk",
            [("preprocessing", "StandardScaler")],
            ["import sklearn as sk", "import sklearn.preprocessing"],
        ),
    ],
)
def test_module_is_bound_and_its_submodules_loaded(
    module: Any, name: str, paths: list[tuple[str, ...]], statements: list[str]
) -> None:
    assert module_imports(module, name, paths) == statements


@pytest.mark.parametrize(
    ("value", "name", "statement"),
    [
        (StandardScaler, "StandardScaler", "from sklearn.preprocessing import StandardScaler"),
        (StandardScaler, "Scaler", "from sklearn.preprocessing import StandardScaler as Scaler"),
        (np.log1p, "log1p", "from numpy import log1p"),
        (np.log1p, "log", "from numpy import log1p as log"),
        (typing.Optional, "Optional", "from typing import Optional"),
        (Mapping, "Mapping", "from collections.abc import Mapping"),
        (datetime.UTC, "UTC", "from datetime import UTC"),
        (pd.NA, "NA", "from pandas import NA"),
        (os.path.join, "join", f"from {os.path.__name__} import join"),
    ],
)
def test_object_is_imported_from_the_most_public_module(value: Any, name: str, statement: str) -> None:
    assert from_import(value, name) == statement


@pytest.mark.parametrize("value", [StandardScaler(), "abc".upper, object(), [1], lambda: 0])
def test_object_that_no_module_offers_has_no_import(value: Any) -> None:
    assert from_import(value, "value") is None
