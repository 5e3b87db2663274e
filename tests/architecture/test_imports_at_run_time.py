"""What an import costs and needs: nothing but the base packages, on any system."""

import json
import subprocess
import sys

import pytest

from tests.architecture.source_tree import module_name, python_files

# Extras, and modules that one system or another does not have.
ABSENT = (
    *("sklearn", "scipy", "pandas", "joblib", "lightgbm", "onnxruntime", "matplotlib", "psycopg"),
    *("fcntl", "resource", "grp", "pwd", "msvcrt", "winreg", "uvloop"),
)
HEAVY = ("alembic", "fastapi", "numpy", "pydantic", "sqlalchemy", "typer", "urllib3")
IMPORT_ALL = """
import importlib, json, sys, traceback
names, absent = json.loads(sys.stdin.read())
for name in absent:
    sys.modules[name] = None  # so that importing it raises ImportError
failed = {}
for name in names:
    try:
        importlib.import_module(name)
    except Exception:
        failed[name] = traceback.format_exc().splitlines()[-3:]
print(json.dumps(failed))
"""


def run_python(source: str, given: object = None) -> str:
    command = [sys.executable, "-X", "utf8", "-c", source]
    child = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, timeout=100, check=False)
    assert child.returncode == 0, child.stderr
    return child.stdout


def importable_without_extras() -> list[str]:
    """The modules of the product, without the demo, the adapters of one framework each, and Alembic's scripts.

    Celery counts as a framework: its consumer is a base class of ours in a module of its own.
    """
    names = [module_name(path) for path in python_files("src/mlp")]
    adapters = ("sklearn", "lightgbm", "onnx", "pandas")
    return [
        name
        for name in names
        if not name.startswith(("mlp.demo", "mlp.storage.migrations", "mlp.__main__", "mlp.worker.consumer"))
        and not (name.startswith("mlp.runtimes.") and any(word in name for word in adapters))
    ]


@pytest.mark.slow
def test_product_imports_without_extras_and_on_any_system() -> None:
    failed = json.loads(run_python(IMPORT_ALL, [importable_without_extras(), ABSENT]))

    assert not failed


def test_package_import_loads_nothing_heavy() -> None:
    loaded = json.loads(run_python("import json, sys, mlp; print(json.dumps(sorted(sys.modules)))"))

    assert set(HEAVY).isdisjoint(loaded)
