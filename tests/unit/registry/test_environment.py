"""Versions are compared, and what differs is named with its remedy."""

import platform
from importlib.metadata import version
from pathlib import Path

import pytest

from mlp.errors import EnvironmentMismatch
from mlp.registry.environment import (
    Difference,
    Environment,
    check_at_load,
    check_requirements,
    check_versions,
    compare,
    running_environment,
    used_environment,
)

_SKLEARN, _NUMPY = version("scikit-learn"), version("numpy")
_PYTHON = platform.python_version()


def test_difference_of_a_package_is_told_with_its_remedy() -> None:
    running = Environment("3.11.7", {"scikit-learn": "1.9.1"})

    differences = compare(Environment("3.11.2", {"scikit-learn": "1.4.2"}), running)

    assert [item.message for item in differences] == [
        "trained with scikit-learn 1.4.2, this server has 1.9.1: pin it in requirements.txt or retrain"
    ]


def test_difference_of_python_is_told_with_its_remedy() -> None:
    differences = compare(Environment("3.11.7"), Environment("3.13.1"))

    assert [item.message for item in differences] == [
        "trained with Python 3.11.7, this server has 3.13.1: serve it with Python 3.11 or retrain"
    ]


def test_package_that_is_not_there_is_told() -> None:
    differences = compare(Environment(None, {"Xgboost": "2.0"}), Environment("3.11.7", {}), done="accepted")

    assert [item.message for item in differences] == [
        "accepted with Xgboost 2.0, this server has none: install it, or retrain without"
    ]


def test_same_versions_do_not_differ_however_a_name_is_spelt() -> None:
    trained_with = Environment("3.11.0", {"Scikit_Learn": "1.9.1"})

    assert compare(trained_with, Environment("3.11.9", {"scikit-learn": "1.9.1"})) == []


@pytest.mark.parametrize(
    ("recorded", "running", "is_in_feature_release"),
    [("1.4.2", "1.4.3", False), ("1.4.2", "1.5.0", True), ("1.4.2+cpu", "1.4.2", False), ("1.4", None, True)],
)
def test_feature_release_is_the_first_two_numbers(
    recorded: str, running: str | None, is_in_feature_release: bool
) -> None:
    assert Difference("x", recorded, running).is_in_feature_release is is_in_feature_release


@pytest.mark.parametrize(
    "recorded",
    [Environment(None, {"scikit-learn": "1.4.2"}), Environment("3.9.1"), Environment(None, {"xgboost": "1"})],
)
def test_pickle_of_another_feature_release_is_refused_unless_allowed(recorded: Environment) -> None:
    with pytest.raises(EnvironmentMismatch, match="trained with"):
        check_versions(recorded, has_pickle=True)

    assert len(check_versions(recorded, has_pickle=True, allow_mismatch=True)) == 1
    assert len(check_versions(recorded, has_pickle=False)) == 1


def test_pickle_of_another_version_of_what_only_carries_it_is_named() -> None:
    remarks = check_versions(Environment(_PYTHON, {"numpy": "1.2.3", "scikit-learn": _SKLEARN}), has_pickle=True)

    assert remarks == [f"trained with numpy 1.2.3, this server has {_NUMPY}: pin it in requirements.txt or retrain"]


def test_version_that_was_accepted_under_another_python_is_refused_at_load(tmp_path: Path) -> None:
    (tmp_path / "model.joblib").write_bytes(b"")
    accepted = Environment("3.9.1", {"scikit-learn": _SKLEARN}).to_json()

    with pytest.raises(EnvironmentMismatch, match=r"accepted with Python 3\.9\.1, this server has"):
        check_at_load(tmp_path, accepted)

    assert check_at_load(tmp_path, running_environment(["numpy", "scikit-learn"]).to_json()) == []


def test_environment_that_was_used_names_distributions_of_imported_modules() -> None:
    used = used_environment(frozenset(), {"pytest", "mlp", "absent_module"})

    assert used.python == _PYTHON
    assert used.packages["numpy"] == _NUMPY
    assert used.packages["pytest"] == version("pytest")
    assert "mlp-stack" not in used.packages
    assert "pydantic" not in used.packages


def test_environment_that_was_used_leaves_out_what_only_came_along() -> None:
    used = used_environment(frozenset(), set())

    assert set(used.packages) <= {
        "joblib", "lightgbm", "numpy", "onnxruntime", "pandas", "scikit-learn", "scipy", "threadpoolctl"
    }  # fmt: skip


def test_pickle_that_is_refused_is_told_what_a_pin_needs_on_a_server_that_installs_nothing(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentMismatch) as caught:
        check_versions(Environment("3.9.1", {"scikit-learn": "0.4.2"}), has_pickle=True)

    assert caught.value.message.endswith(
        f"trained with scikit-learn 0.4.2, this server has {_SKLEARN}: pin it in requirements.txt or retrain "
        "(this server installs nothing: use an environment with scikit-learn 0.4.2, or --allow-mismatch)"
    )

    (tmp_path / "model.joblib").write_bytes(b"")
    with pytest.raises(EnvironmentMismatch, match=r"use an environment with scikit-learn 0\.4\.2\)$"):
        check_at_load(tmp_path, Environment(_PYTHON, {"scikit-learn": "0.4.2"}).to_json())


def test_pickle_of_another_python_is_told_no_pin() -> None:
    with pytest.raises(EnvironmentMismatch, match=r"or retrain$"):
        check_versions(Environment("3.9.1"), has_pickle=True)


def test_requirements_that_are_met_are_silent() -> None:
    lines = [
        (1, f"numpy=={_NUMPY}"),
        (2, "Scikit_Learn>=1.0,<99"),
        (3, 'absent-package==1; python_version < "3"'),
        (4, f"numpy=={_NUMPY} --hash=sha256:00"),
    ]

    assert check_requirements(lines) == []


def test_requirements_that_are_not_met_are_all_named() -> None:
    lines = [(1, "numpy==1.2.3"), (3, "absent-package[extra]>=2")]

    with pytest.raises(EnvironmentMismatch) as caught:
        check_requirements(lines)

    assert caught.value.message == (
        f"requirements.txt line 1 asks for numpy==1.2.3, this server has {_NUMPY}: install that, or change the line; "
        "requirements.txt line 3 asks for absent-package[extra]>=2, this server has none: "
        'pip install "absent-package>=2"'
    )
    assert len(check_requirements(lines, allow_mismatch=True)) == 2


@pytest.mark.parametrize("line", ["-r other.txt", "git+https://example.org/x.git", "./local.whl"])
def test_requirement_that_is_no_version_is_named_and_not_compared(line: str) -> None:
    assert check_requirements([(7, line)]) == [
        f"requirements.txt line 7: '{line}' is not compared; only lines such as name==1.2 are"
    ]
