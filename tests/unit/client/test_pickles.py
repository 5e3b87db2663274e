"""Names that pickles refer to, found without loading them."""

import bz2
import gzip
import lzma
import pickle
import zlib
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from mlp.client.pickles import names_in_pickle


class Trap:
    """Leaves a trace if it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.fixture(scope="module")
def model() -> Any:
    features = np.random.default_rng(0).normal(size=(200, 3))
    forest = RandomForestClassifier(n_estimators=5, random_state=0)
    return make_pipeline(StandardScaler(), forest).fit(features, features[:, 0] > 0)


@pytest.mark.parametrize("compress", [0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3)])
def test_names_of_a_joblib_file_are_found_behind_its_arrays(tmp_path: Path, model: Any, compress: Any) -> None:
    path = tmp_path / "model.joblib"
    joblib.dump(model, path, compress=compress)

    names = names_in_pickle(path)

    assert ("sklearn.pipeline", "Pipeline") in names
    assert ("sklearn.tree._classes", "DecisionTreeClassifier") in names
    assert ("sklearn.tree._tree", "Tree") in names


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_names_of_a_plain_pickle_are_found_in_every_protocol(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps([FunctionTransformer(np.nan_to_num), {"a": {1}}, b"x", 2**70], protocol=protocol))

    names = names_in_pickle(path)

    assert ("sklearn.preprocessing._function_transformer", "FunctionTransformer") in names
    assert any(name == "nan_to_num" for _, name in names)


def test_names_behind_an_array_of_objects_are_found(tmp_path: Path) -> None:
    path = tmp_path / "model.joblib"
    objects = np.array([Path("a"), "b"], dtype=object)
    joblib.dump([objects, np.zeros((3, 4), order="F"), pd.DataFrame({"a": ["x"]}), StandardScaler()], path)

    names = names_in_pickle(path)

    assert ("sklearn.preprocessing._data", "StandardScaler") in names
    assert ("pandas", "DataFrame") in names or any(name == "DataFrame" for _, name in names)
    assert any(name.endswith("Path") for _, name in names)


def test_nothing_of_the_pickle_is_run(tmp_path: Path) -> None:
    path, trace = tmp_path / "model.pkl", tmp_path / "trace"
    path.write_bytes(pickle.dumps(Trap(trace)))

    names = names_in_pickle(path)

    assert not trace.exists()
    assert any(name == "Path.touch" for _, name in names)


@pytest.mark.parametrize(
    "content", [b"", b"no pickle", b"\x80\x04", bz2.compress(b"x"), gzip.compress(b""), lzma.compress(b"."), b"x\x9c"]
)
def test_damaged_file_yields_no_names(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.joblib"
    path.write_bytes(content)

    assert names_in_pickle(path) == frozenset()


def test_names_before_the_damage_are_found(tmp_path: Path, model: Any) -> None:
    path = tmp_path / "model.joblib"
    joblib.dump(model, path)
    path.write_bytes(path.read_bytes()[:-200])

    assert ("sklearn.pipeline", "Pipeline") in names_in_pickle(path)


def test_compressed_pickle_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(zlib.compress(pickle.dumps(StandardScaler())))

    assert ("sklearn.preprocessing._data", "StandardScaler") in names_in_pickle(path)
