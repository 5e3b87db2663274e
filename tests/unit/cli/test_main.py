import subprocess
import sys
from pathlib import Path

import pytest

from mlp import __version__
from mlp.cli import main
from mlp.cli.main import run
from mlp.cli.options import Noun


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"mlp {__version__}\n"


def test_help_names_every_command_in_working_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0

    printed = capsys.readouterr().out
    listed = [line.split()[0] for line in printed.partition("Commands:")[2].splitlines() if line.strip()]
    assert listed == list(main.COMMANDS)
    assert max(map(len, printed.splitlines())) <= 80


@pytest.mark.parametrize("noun", [[], *([name] for name, each in main.COMMANDS.items() if isinstance(each, Noun))])
def test_help_of_a_list_is_cut_nowhere(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, noun: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    assert run([*noun, "--help"]) == 0

    listed = capsys.readouterr().out.partition("Commands:")[2]
    assert "..." not in listed
    assert listed.strip()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["modelz"], "No such command 'modelz'. Did you mean 'models'?"),
        (["models", "ad"], "No such command 'ad'. Did you mean 'add'?"),
        (["models", "show"], "Missing argument 'NAME'"),
        (["models", "list", "--colour"], "No such option: --colour"),
        (["quality", "churn", "--by", "year"], "--by"),
        (["serve", "--url", "http://localhost:1"], "leave --url out"),
        (["db", "check", "--url", "http://localhost:1"], "works on the database itself"),
        (["demo", "flights", "--url", "http://localhost:1"], "the demo starts a server of its own"),
        (["feedback", "churn", "labels.csv"], "say --key COLUMN"),
        (["models", "traffic", "churn", "--canary", "challenger"], "such as challenger=10"),
        (["demo", "flights", "--json"], "the demo tells a story"),
    ],
)
def test_wrong_usage_is_told_with_exit_code_two(
    capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert run(arguments) == 2

    captured = capsys.readouterr()
    assert told in captured.err
    assert captured.out == ""


def test_error_is_one_sentence_without_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--url", "http://127.0.0.1:9", "models", "list"]) == 1

    captured = capsys.readouterr()
    assert captured.err == 'Error: no server answers at http://127.0.0.1:9: start one with "mlp serve"\n'
    assert captured.out == ""


@pytest.mark.parametrize("arguments", [["--debug", "models", "list"], ["models", "list", "--debug"]])
def test_error_with_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert run(["--url", "http://127.0.0.1:9", *arguments]) == 1

    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_wrong_setting_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLP_PORT", "many")

    assert run(["models", "list"]) == 1

    assert "the variable MLP_PORT is wrong" in capsys.readouterr().err


def test_unexpected_error_is_told_as_a_fault(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> int:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(main, "_run", fail)

    assert run(["models", "list"]) == 1
    assert capsys.readouterr().err.startswith("Error: ZeroDivisionError: division by zero: this is a fault of mlp")


def test_interrupt_is_quiet(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_arguments: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "_run", interrupt)

    assert run(["models", "list"]) == 130
    assert capsys.readouterr().err == ""


def test_reader_that_leaves_is_met_without_a_word(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "mlp", "models", "new", "churn", str(tmp_path / "churn")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr:
        errors = process.stderr.read().decode()

    assert process.wait(60) == 1
    assert "Broken" not in errors
    assert "Traceback" not in errors


def test_help_imports_nothing_heavy() -> None:
    heavy = ("pydantic", "rich", "sqlalchemy", "fastapi", "numpy", "msgspec", "urllib3", "uvicorn")
    code = (
        "import sys; from mlp.cli.main import run; run(['--help']);"
        f"print([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert done.stderr == "[]\n"
