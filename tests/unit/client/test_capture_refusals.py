"""What cannot be captured is named, all of it at once, with reason and remedy."""

import builtins
import re
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from mlp.client.capture import capture, captured_file
from mlp.errors import BadInput, CannotCapture
from tests.unit.client.conftest import Notebook


def obstacles_of(error: CannotCapture) -> dict[str, dict[str, str]]:
    return {obstacle["name"]: obstacle for obstacle in error.extra["obstacles"]}


def refused(notebook: Notebook) -> dict[str, dict[str, str]]:
    with pytest.raises(CannotCapture) as raised:
        capture(notebook["prepare"])
    return obstacles_of(raised.value)


CASES = [
    ("f = lambda x: x", "f(x)", "a lambda", "write it as a def"),
    (
        "def make(k):\n    def inner(x):\n        return x * k\n    return inner\nf = make(2)",
        *("f(x)", "holds variables of the function around it: k", "define it at the top level"),
    ),
    (
        "from sklearn.preprocessing import StandardScaler\nf = StandardScaler().fit([[1.0], [2.0]])",
        *("f.transform(x)", "a fitted StandardScaler, an object and not code", "make it a step of the pipeline"),
    ),
    (
        "import pandas as pd\nf = pd.DataFrame({'a': [1, 2]})",
        *("f.join(x)", r"a DataFrame of shape \(2, 1\)", 'use the folder form, where files lie beside the code: "mlp'),
    ),
    ("import functools\nf = functools.partial(max, 3)", "f(x)", r"a functools\.partial", "write a def that calls"),
    ("", "f(x)", "it is not defined", "define it before"),
    ("class A:\n    pass\nf = A()", "f.x", "an object of type A", "make it inside the function"),
    ("f = [object()]", "f[x]", "a list that is not made of constants", "build it inside a function"),
    ("f = 'abc'.upper", "f()", "that no module offers by a name", "write a def that calls it"),
    (
        "from functools import singledispatch\n@singledispatch\ndef f(x):\n    return x",
        *("f(x)", "singledispatch, whose implementations are registered elsewhere", "mlp models new"),
    ),
]


@pytest.mark.parametrize(("before", "use", "reason", "remedy"), CASES)
def test_what_cannot_be_captured_is_named(
    *, notebook: Notebook, before: str, use: str, reason: str, remedy: str
) -> None:
    notebook.run(f"{before}\ndef prepare(x):\n    return {use}\n")

    obstacle = refused(notebook)["f"]

    assert re.search(reason, obstacle["reason"])
    assert remedy in obstacle["remedy"]
    assert obstacle["used_by"] == "prepare"


def test_everything_is_named_at_once_with_its_user(notebook: Notebook) -> None:
    notebook.run("""
        f = lambda x: x
        a = object()
        def helper(x):
            return a, nowhere
        def prepare(x):
            return f(helper(x))
    """)

    with pytest.raises(CannotCapture) as raised:
        capture(notebook["prepare"])

    users = {name: obstacle["used_by"] for name, obstacle in obstacles_of(raised.value).items()}
    assert users == {"f": "prepare", "a": "helper", "nowhere": "helper"}
    assert raised.value.message.startswith("preprocess=prepare cannot be captured:\n  - ")
    assert all(f"- {name} (used by {user}): " in raised.value.message for name, user in users.items())


def test_lambda_itself_is_refused() -> None:
    with pytest.raises(CannotCapture, match="a lambda; write it as a def"):
        capture(lambda frame: frame)


def test_relative_import_within_is_refused(notebook: Notebook) -> None:
    notebook.run("def prepare(x):\n    from . import near\n    return near\n")

    assert refused(notebook)["."]["reason"] == "a relative import"


def test_function_without_source_is_refused() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("def prepare(x):\n    return x\n", namespace)

    with pytest.raises(CannotCapture, match="was defined in <string>, which keeps no source"):
        capture(namespace["prepare"])


def test_function_of_a_timed_cell_is_refused_with_the_remedy(notebook: Notebook) -> None:
    exec(compile("def prepare(x):\n    return x\n", "<timed exec>", "exec"), notebook.namespace)

    with pytest.raises(CannotCapture, match="%%time keeps no source; define it in a cell of its own"):
        capture(notebook["prepare"])


def test_local_module_is_refused_however_it_is_used(
    notebook: Notebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "near_notebook.py").write_text("def clean(x):\n    return x\nclass Kind:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    notebook.run("""
        import near_notebook as near
        from near_notebook import Kind, clean
        def prepare(x):
            import near_notebook
            return near.clean(clean(x)), Kind
    """)

    obstacles = refused(notebook)

    assert set(obstacles) == {"near", "clean", "Kind", "near_notebook"}
    assert all("which is not installed but lies beside your code" in item["reason"] for item in obstacles.values())
    assert all('"mlp models new"' in item["remedy"] for item in obstacles.values())
    sys.modules.pop("near_notebook", None)


def test_function_of_a_local_module_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "near_script.py").write_text("def clean(x):\n    return x\n")
    monkeypatch.syspath_prepend(tmp_path)
    import near_script  # type: ignore[import-not-found]

    with pytest.raises(CannotCapture, match="it comes from the module near_script"):
        capture(near_script.clean)

    sys.modules.pop("near_script", None)


def test_magic_within_a_function_is_refused(notebook: Notebook) -> None:
    class Shell:
        def get_ipython(self) -> None: ...

    notebook.namespace["get_ipython"] = Shell().get_ipython
    notebook.run("def prepare(x):\n    get_ipython().run_line_magic('time', '')\n    return x\n")

    assert "are there in a notebook only" in refused(notebook)["get_ipython"]["reason"]


def test_display_within_a_function_is_refused(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    def display(x: Any) -> None: ...

    display.__module__ = "IPython.core.display_functions"
    monkeypatch.setattr(builtins, "display", display, raising=False)
    notebook.run("def prepare(x):\n    display(x)\n    return x\n")

    assert "are there in a notebook only" in refused(notebook)["display"]["reason"]


def test_place_of_the_script_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("def prepare(x):\n    return __file__\n")
    namespace = runpy.run_path(str(script), run_name="__main__")

    with pytest.raises(CannotCapture, match=r"__file__ .* the place of your script, which the server does not have"):
        capture(namespace["prepare"])


def test_two_things_of_one_name_are_refused(notebook: Notebook) -> None:
    notebook.run("""
        def helper(x):
            return 1
        old = helper
        def helper(x):
            return 2
        def prepare(x):
            return old(x), helper(x)
    """)

    assert "stands for two different things" in refused(notebook)["helper"]["reason"]


def test_helper_called_preprocess_is_refused(notebook: Notebook) -> None:
    notebook.run("def preprocess(x):\n    return 1\ndef prepare(x):\n    return preprocess(x)\n")

    assert "stands for two different things" in refused(notebook)["preprocess"]["reason"]


def test_source_changed_since_it_was_run_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("def prepare(x):\n    return 1\n")
    namespace = runpy.run_path(str(script), run_name="__main__")
    script.write_text("def prepare(x):\n    return 'two'  # edited\n")

    with pytest.raises(CannotCapture, match="its source has changed since it was run; run the definition again"):
        capture(namespace["prepare"])


def test_source_that_is_gone_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("def prepare(x):\n    return 1\n")
    namespace = runpy.run_path(str(script), run_name="__main__")
    script.unlink()

    with pytest.raises(CannotCapture, match="is gone or has changed since it was run"):
        capture(namespace["prepare"])


def test_class_without_methods_that_has_changed_is_refused(notebook: Notebook) -> None:
    notebook.run("class Bare:\n    x = 1\n")
    notebook.run("class Bare:\n    x = 2\n")
    notebook.run("def prepare(x):\n    return Bare.x\n")

    assert "defined several times" in refused(notebook)["Bare"]["reason"]


def test_function_wrapped_by_hand_is_refused(notebook: Notebook) -> None:
    notebook.run("""
        import functools
        def times(function):
            @functools.wraps(function)
            def wrapper(x):
                return 2 * function(x)
            return wrapper
        def prepare(x):
            return x
        prepare = times(prepare)
    """)

    assert "wrapped after its definition" in refused(notebook)["prepare"]["reason"]


def test_default_computed_from_a_constant_that_changed_is_refused(notebook: Notebook) -> None:
    notebook.run("LIMIT = 1\ndef prepare(x, limit=LIMIT):\n    return limit\nLIMIT = 2\n")

    assert "constants that have changed since" in refused(notebook)["prepare"]["reason"]


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("def prepare(frame):\n    return frame\n", BadInput, r"does not define a function preprocess\(frame\)"),
        ("def preprocess(frame:\n", CannotCapture, "is not Python source"),
        ("1 / 0\n", CannotCapture, "does not run on its own: ZeroDivisionError"),
    ],
)
def test_file_without_the_function_is_refused(tmp_path: Path, source: str, kind: type[Exception], message: str) -> None:
    path = tmp_path / "prepare.py"
    path.write_text(source)

    with pytest.raises(kind, match=message):
        captured_file(path)


def test_file_that_imports_its_neighbour_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "near_file.py").write_text("")
    (tmp_path / "prepare.py").write_text("import near_file\ndef preprocess(frame):\n    return frame\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(CannotCapture, match="it imports the module near_file"):
        captured_file(tmp_path / "prepare.py")


def test_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        captured_file(tmp_path / "none.py")
