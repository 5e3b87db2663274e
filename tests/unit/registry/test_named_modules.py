"""What a version names itself is found in pickles as they are read, and in the text of its code."""

import io
import sys
from fractions import Fraction
from pathlib import Path

import joblib

from mlp.registry.named_modules import modules_named_by_code, modules_named_by_pickles


def test_modules_of_a_pickle_are_known_once_it_is_read() -> None:
    file = io.BytesIO()
    joblib.dump({"half": Fraction(1, 2)}, file)
    file.seek(0)

    named = modules_named_by_pickles()
    before = set(named)
    joblib.load(file)

    assert before == set()
    assert named == {"fractions"}


def test_modules_of_code_are_those_of_its_import_statements(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "model.py").write_text(
        "import numpy as np, os.path\ndef load(folder):\n    from scipy.stats import norm\n"
    )
    (tmp_path / "lib" / "own.py").write_text("from . import other\nfrom .more import it\nimport json\n")
    (tmp_path / "lib" / "broken.py").write_text("import re\ndef (")

    assert modules_named_by_code(tmp_path) == {"numpy", "os", "scipy", "json"}
    assert "lib.own" not in sys.modules
