"""Whatever a model's code does at registration becomes one clear error. Real child processes, own code on arrays."""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import joblib
import pytest
from sklearn.linear_model import LinearRegression

from mlp.errors import AcceptanceFailed, BadModelFolder, EnvironmentMismatch, MLPError, UnknownRuntime
from mlp.registry.acceptance import AcceptanceLimits, main, run_acceptance
from mlp.registry.authoring import folder_from_file

pytestmark = pytest.mark.slow

_TOML = '[model]\nruntime = "python"\n[inputs]\nx = { type = "float64", shape = [2] }\n'
_ANSWER = "return arrays['x'].sum(axis=1)"
#: Starts a process that sleeps; the way that daemons choose leaves the session of the acceptance run, too.
_STARTS = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']{})"


def _folder(path: Path, load: str = "return None", predict: str = _ANSWER, before: str = "") -> Path:
    (path / "mlp.toml").write_text(_TOML)
    (path / "model.py").write_text(
        f"{before}\ndef load(folder):\n    {load}\ndef predict(model, arrays):\n    {predict}\n"
    )
    (path / "example.json").write_text(json.dumps({"rows": [{"x": [1, 2]}, {"x": [3, 4]}]}))
    return path


def test_version_that_works_is_accepted_with_a_report(tmp_path: Path) -> None:
    report = run_acceptance(_folder(tmp_path))

    assert report.runtime == "python"
    assert report.warnings == ()
    assert report.environment.python == f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["example.json", "mlp.toml", "model.py"]


def test_output_of_the_model_does_not_disturb_the_report(tmp_path: Path) -> None:
    loud = "import sys; print('{\"error\": 1}'); print('x' * 10**6, file=sys.stderr)"

    report = run_acceptance(_folder(tmp_path, before=loud, load="print('loading')"))

    assert report.warnings == ()


@pytest.mark.parametrize(
    ("load", "predict", "said"),
    [
        ("raise OSError('no file')", _ANSWER, "the model does not load: model.py line 3, in load: OSError: no file"),
        ("exit(3)", _ANSWER, r"the model does not load: model.py line 3, in load: called exit\(3\)"),
        ("return None", "1 / 0", "the model's code failed: model.py line 5, in predict: ZeroDivisionError: division"),
        ("return None", "return [1.0]", "the model was given 2 rows and returned 1 rows for 'output'"),
        ("return None", "import os; os._exit(3)", "ended its process with exit code 3"),
        (
            "print('last words', flush=True); import os; os._exit(0)",
            _ANSWER,
            "exit code 0; it printed last: last words",
        ),
    ],
)
def test_code_that_fails_is_told_with_what_and_where(tmp_path: Path, load: str, predict: str, said: str) -> None:
    with pytest.raises(AcceptanceFailed, match=said):
        run_acceptance(_folder(tmp_path, load, predict))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
@pytest.mark.parametrize(
    ("predict", "said"),
    [
        ("import ctypes; ctypes.string_at(0)", "killed by SIGSEGV: model.py line 5, in predict"),
        ("import os; os.abort()", "killed by SIGABRT: model.py line 5, in predict"),
        ("import os; os.kill(os.getpid(), 9)", "killed by SIGKILL, most likely because memory ran out"),
    ],
)
def test_code_that_crashes_its_process_is_told_with_the_signal(tmp_path: Path, predict: str, said: str) -> None:
    with pytest.raises(AcceptanceFailed, match=said):
        run_acceptance(_folder(tmp_path, predict=predict))


def test_code_that_hangs_is_ended_and_told_with_its_line(tmp_path: Path) -> None:
    folder = _folder(tmp_path, predict="import threading; threading.Event().wait()")

    with pytest.raises(AcceptanceFailed, match=r"did not finish within 15 s: model\.py line 5, in predict"):
        run_acceptance(folder, AcceptanceLimits(timeout_seconds=15))


def test_code_that_prints_without_end_is_told(tmp_path: Path) -> None:
    folder = _folder(tmp_path, predict="print('x' * 10**8)")

    with pytest.raises(AcceptanceFailed, match="the model printed more than 16 MiB; it printed last: x"):
        run_acceptance(folder)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a process that leaves its session is seen on Linux")
@pytest.mark.parametrize("way", ["", ", start_new_session=True"])
def test_code_that_leaves_a_process_is_told_and_the_process_ended(tmp_path: Path, way: str) -> None:
    with pytest.raises(AcceptanceFailed, match="the model left processes running when its own had ended"):
        run_acceptance(_folder(tmp_path, load=_STARTS.format(way)))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_code_that_takes_too_much_memory_is_told(tmp_path: Path) -> None:
    folder = _folder(tmp_path, load="return bytearray(2 * 10**9)")

    with pytest.raises(AcceptanceFailed, match=r"in load: MemoryError \(its memory is limited to 1,024 MiB\)"):
        run_acceptance(folder, AcceptanceLimits(memory_bytes=2**30))


@pytest.mark.parametrize(
    ("toml", "error", "said"),
    [
        ("[modle]", BadModelFolder, "did you mean 'model'"),
        (_TOML.replace("python", "torch"), UnknownRuntime, "unknown runtime 'torch'; known are sklearn"),
        (_TOML + "[feedback]\nlabel_horizon = 3", BadModelFolder, "label_horizon = 3 must be text"),
    ],
)
def test_error_of_the_child_keeps_its_class(tmp_path: Path, toml: str, error: type[MLPError], said: str) -> None:
    folder = _folder(tmp_path)
    (folder / "mlp.toml").write_text(toml)

    with pytest.raises(error, match=said):
        run_acceptance(folder)


def test_pickle_of_another_python_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    joblib.dump(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]), tmp_path / "m.joblib")
    folder_from_file(tmp_path / "m.joblib", tmp_path / "made", example=[{"x": 1.5}])
    with (tmp_path / "made" / "mlp.toml").open("a") as toml:
        toml.write('[trained_with]\npython = "3.8.10"\n')

    with pytest.raises(EnvironmentMismatch, match=r"trained with Python 3\.8\.10, this server has"):
        run_acceptance(tmp_path / "made")


def test_pickle_is_accepted_with_the_packages_that_it_used(tmp_path: Path) -> None:
    joblib.dump(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]), tmp_path / "m.joblib")
    folder_from_file(tmp_path / "m.joblib", tmp_path / "made", example=[{"x": 1.5}])

    report = run_acceptance(tmp_path / "made")

    assert report.environment.packages["scikit-learn"] == report.trained_with["scikit-learn"] == version("scikit-learn")
    assert report.environment.packages.keys() >= {"numpy", "scipy", "joblib"}
    assert not report.environment.packages.keys() & {"pytest", "mlp-stack", "pydantic"}


def test_child_called_by_hand_shows_its_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = main([str(_folder(tmp_path))])

    assert exit_code == 0
    assert json.loads(capsys.readouterr().out)["report"]["runtime"] == "python"
