"""Functions of a notebook or script become modules that do the same on their own."""

import __future__

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlp.client.capture import Captured, capture, captured_file
from tests.unit.client.conftest import Notebook

FRAME = pd.DataFrame({"age": [20, 70], "city": ["A", "b"]})


def run(captured: Captured, *arguments: Any) -> Any:
    """The answer of the captured function where nothing but its source is known."""
    namespace: dict[str, Any] = {"__name__": "model"}
    exec(compile(captured.source, "model.py", "exec", dont_inherit=True), namespace)
    return namespace["preprocess"](*arguments)


def lines_of(captured: Captured) -> list[str]:
    return captured.source.splitlines()


def test_function_alone_is_its_own_source(notebook: Notebook) -> None:
    notebook.run("def preprocess(frame):\n    return frame + 1  # one more\n")

    captured = capture(notebook["preprocess"])

    assert captured.source.endswith("\n\ndef preprocess(frame):\n    return frame + 1  # one more\n")
    assert captured.modules == frozenset()


def test_function_of_another_name_is_bound_to_preprocess(notebook: Notebook) -> None:
    notebook.run("def prepare(frame):\n    return frame + 1\n")

    captured = capture(notebook["prepare"])

    assert captured.source.endswith("\n\npreprocess = prepare\n")
    assert run(captured, 1) == 2


def test_modules_are_imported_under_their_alias(notebook: Notebook) -> None:
    notebook.run("""
        import numpy as np
        import pandas
        import os.path
        import xml.etree.ElementTree as ET
        def prepare(frame: pandas.DataFrame):
            ET.Element("a")
            return np.random.default_rng(0).integers(9), os.path.join("a", "b")
    """)

    captured = capture(notebook["prepare"])

    expected = {"import numpy as np", "import pandas", "import os.path", "import xml.etree.ElementTree as ET"}
    assert expected <= set(lines_of(captured))
    assert {"numpy", "pandas", "os.path"} <= captured.modules


def test_submodule_reached_through_a_package_is_imported(notebook: Notebook) -> None:
    notebook.run("""
        import sklearn.preprocessing
        def prepare(x):
            return sklearn.preprocessing.StandardScaler()
    """)

    assert "import sklearn.preprocessing" in lines_of(capture(notebook["prepare"]))


def test_names_from_packages_are_imported_from_their_public_place(notebook: Notebook) -> None:
    notebook.run("""
        from sklearn.preprocessing import StandardScaler as Scaler
        from numpy import log1p, nan_to_num as clean
        from typing import Any, Optional
        from collections.abc import Mapping
        from datetime import UTC, datetime
        from pandas import DataFrame, NA
        def prepare(x: Optional[Any]) -> DataFrame:
            Mapping, datetime.now(UTC), NA, Scaler
            return clean(log1p(x))
    """)

    captured = capture(notebook["prepare"])

    assert {
        "from sklearn.preprocessing import StandardScaler as Scaler",
        "from numpy import log1p",
        "from numpy import nan_to_num as clean",
        "from typing import Any",
        "from typing import Optional",
        "from collections.abc import Mapping",
        "from datetime import UTC",
        "from datetime import datetime",
        "from pandas import DataFrame",
        "from pandas import NA",
    } <= set(lines_of(captured))
    assert run(captured, 0.0) == 0


def test_constants_are_written_with_their_values(notebook: Notebook) -> None:
    notebook.run("""
        import re
        LIMIT = 3
        NAMES = ("a", "b")
        WEIGHTS = {"a": [1.5, None], "b": {1, 2}}
        NAN = float("nan")
        WORD = re.compile("a+", re.I)
        def prepare(x):
            return LIMIT, NAMES, WEIGHTS, NAN, WORD.match("AA").group(), x
    """)

    limit, names, weights, nan, word, given = run(capture(notebook["prepare"]), 7)

    assert (limit, names, weights, word, given) == (3, ("a", "b"), {"a": [1.5, None], "b": {1, 2}}, "AA", 7)
    assert nan != nan


def test_statistics_computed_by_numpy_keep_their_type(notebook: Notebook) -> None:
    notebook.run("""
        import numpy as np
        MEAN = np.array([0.1, 0.2]).mean()
        def prepare(x):
            return MEAN
    """)

    mean = run(capture(notebook["prepare"]), 0)

    assert type(mean) is np.float64
    assert mean == np.array([0.1, 0.2]).mean()


def test_functions_and_classes_it_calls_are_taken_along(notebook: Notebook) -> None:
    notebook.run("""
        BASE = 10
        def inner(x):
            return x + BASE
        class Doubler:
            def __init__(self, x):
                self.x = x
            def go(self):
                return inner(self.x) * 2
    """)
    notebook.run("""
        class Tripler(Doubler):
            def go(self):
                return super().go() + inner(self.x)
        def prepare(x):
            return Tripler(x).go()
    """)

    captured = capture(notebook["prepare"])

    assert run(captured, 1) == notebook["prepare"](1) == 33
    assert captured.source.index("class Doubler") < captured.source.index("class Tripler")


def test_functions_that_call_each_other_are_both_there(notebook: Notebook) -> None:
    notebook.run("""
        def even(n):
            return n == 0 or odd(n - 1)
        def odd(n):
            return n != 0 and even(n - 1)
    """)

    captured = capture(notebook["even"])

    assert [run(captured, number) for number in range(4)] == [True, False, True, False]


def test_decorators_stand_before_what_they_decorate(notebook: Notebook) -> None:
    notebook.run("""
        import functools
        FACTOR = 3
        def times(function):
            scaled(1)
            @functools.wraps(function)
            def wrapper(*args):
                return scaled(function(*args))
            return wrapper
        def scaled(x):
            return x * FACTOR
        @times
        def prepare(x):
            return x + 1
    """)

    captured = capture(notebook["prepare"])

    assert run(captured, 1) == notebook["prepare"](1) == 6
    assert captured.source.index("def scaled") < captured.source.index("@times")
    assert captured.source.index("def times") < captured.source.index("@times")


def test_cached_function_stays_cached(notebook: Notebook) -> None:
    notebook.run("""
        from functools import lru_cache
        @lru_cache(maxsize=None)
        def prepare(x):
            return x + 1
    """)

    assert "@lru_cache(maxsize=None)" in lines_of(capture(notebook["prepare"]))


def test_dataclass_and_enum_are_captured(notebook: Notebook) -> None:
    notebook.run("""
        import enum
        from dataclasses import dataclass, field
        STEP = 5
        class Kind(enum.Enum):
            OLD = 1
            NEW = 2
        @dataclass(frozen=True)
        class Rule:
            kind: Kind
            step: int = STEP
            seen: list = field(default_factory=list)
            @property
            def size(self):
                return self.step * self.kind.value
            @staticmethod
            def none():
                return Rule(Kind.OLD)
        def prepare(x):
            return Rule(Kind.NEW).size + Rule.none().size + x
    """)

    assert run(capture(notebook["prepare"]), 0) == notebook["prepare"](0) == 15


def test_defaults_annotations_and_nested_functions_work(notebook: Notebook) -> None:
    notebook.run("""
        import pandas as pd
        from typing import Any
        STEPS = [1, 2]
        def prepare(frame: pd.DataFrame, steps=STEPS, *, extra: Any = None) -> "pd.DataFrame":
            def grow(column, by=len(STEPS)):
                return column * by
            ages = [grow(age) for age in frame["age"] if all(age > step for step in STEPS)]
            return frame.assign(age=ages, n=lambda rows: rows["age"].map(lambda age: age + steps[0]))
    """)

    captured = capture(notebook["prepare"])

    pd.testing.assert_frame_equal(run(captured, FRAME), notebook["prepare"](FRAME))


def test_future_annotations_of_the_notebook_are_kept(notebook: Notebook) -> None:
    flags = __future__.annotations.compiler_flag
    notebook.run("def prepare(frame: NeverImported) -> AlsoNot:\n    return frame\n", flags=flags)

    captured = capture(notebook["prepare"])

    assert "from __future__ import annotations" in lines_of(captured)
    assert run(captured, 1) == 1


def test_imports_within_the_function_count_as_its_modules(notebook: Notebook) -> None:
    notebook.run("def prepare(x):\n    import scipy.stats\n    from json import dumps\n    return dumps(x)\n")

    assert capture(notebook["prepare"]).modules == {"scipy.stats", "json"}


def test_counter_that_is_only_written_needs_no_value(notebook: Notebook) -> None:
    notebook.run("def prepare(x):\n    global calls\n    calls = x\n    return calls\n")

    assert run(capture(notebook["prepare"]), 3) == 3


def test_counter_that_has_a_value_keeps_it(notebook: Notebook) -> None:
    notebook.run("calls = 5\ndef prepare(x):\n    global calls\n    calls += x\n    return calls\n")

    assert run(capture(notebook["prepare"]), 3) == 8


def test_name_of_the_module_is_its_own(notebook: Notebook) -> None:
    notebook.run("def prepare(x):\n    return __name__\n")

    assert run(capture(notebook["prepare"]), 0) == "model"


def test_function_redefined_in_a_later_cell_is_the_later_one(notebook: Notebook) -> None:
    notebook.run("def prepare(x):\n    return 1\n")
    notebook.run("def prepare(x):\n    return 2\n")

    assert run(capture(notebook["prepare"]), 0) == 2


def test_class_redefined_in_a_later_cell_is_the_one_whose_methods_run(notebook: Notebook) -> None:
    notebook.run("class Rule:\n    def apply(self):\n        return 1\n")
    notebook.run("class Rule:\n    def apply(self):\n        return 2\ndef prepare(x):\n    return Rule().apply()\n")

    assert run(capture(notebook["prepare"]), 0) == 2


def test_function_from_an_installed_package_is_imported() -> None:
    assert "from numpy import nan_to_num as preprocess" in lines_of(capture(np.nan_to_num))


def test_alias_of_a_helper_is_bound_too(notebook: Notebook) -> None:
    notebook.run("def clean(x):\n    return x + 1\ntidy = clean\ndef prepare(x):\n    return tidy(clean(x))\n")

    assert run(capture(notebook["prepare"]), 0) == 2


def test_same_function_gives_the_same_source(notebook: Notebook) -> None:
    notebook.run("import numpy as np\nA = {'x', 'y', 'z'}\nB = 1\ndef prepare(f):\n    return A, B, np, len(f)\n")

    assert capture(notebook["prepare"]).source == capture(notebook["prepare"]).source


def test_function_within_a_function_is_moved_to_the_margin(notebook: Notebook) -> None:
    notebook.run("def make():\n    def prepare(x):\n        return x + 1\n    return prepare\nprepare = make()\n")

    assert run(capture(notebook["prepare"]), 1) == 2


def test_script_is_captured_like_a_notebook(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import math\nSCALE = 2\nclass Bare:\n    step = SCALE\ndef prepare(x):\n    return math.floor(x) * Bare.step\n"
    )
    namespace = runpy.run_path(str(script), run_name="__main__")

    assert run(capture(namespace["prepare"]), 3.7) == 6


def test_function_of_a_doctest_is_captured(notebook: Notebook) -> None:
    notebook.run("def prepare(x):\n    return x\n", filename="<doctest readme[3]>")

    assert run(capture(notebook["prepare"]), 3) == 3


def test_file_of_source_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "prepare.py"
    path.write_text("import numpy as np\n\ndef preprocess(frame):\n    return np.abs(frame)\n")

    captured = captured_file(path)

    assert captured == Captured(path.read_text(), frozenset({"numpy"}))
