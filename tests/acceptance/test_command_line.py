"""The command line as its users run it: real commands in processes of their own, beside a real server and without."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.models import sign_model
from tests.servers import ServerProcess, until

# Every command is a process of its own, which takes seconds on a busy machine.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

COMMAND_SECONDS = 110.0


class Shell:
    """Runs commands on one data folder; they see no setting of the machine that the tests run on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MLP_")}
        self.environment = {**kept, "MLP_FOLDER": str(folder), "COLUMNS": "80", "NO_COLOR": "1"}

    def run(self, *arguments: str | Path, expect: int = 0, text: str = "") -> subprocess.CompletedProcess[str]:
        """The finished command, which must end with this exit code; ``text`` is its standard input."""
        done = subprocess.run(
            [sys.executable, "-m", "mlp", *map(str, arguments)],
            input=text,
            capture_output=True,
            text=True,
            env=self.environment,
            cwd=self.folder.parent,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == expect, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments: str | Path, expect: int = 0) -> Any:
        """What a command prints with --json, which must be all that it prints to standard output."""
        return json.loads(self.run(*arguments, "--json", expect=expect).stdout)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A server with one model, ``sign``, that tells whether x + y is above zero."""
    root = tmp_path_factory.mktemp("served")
    server = ServerProcess(root / "data").wait_up()
    shell = Shell(root / "data")
    shell.run("models", "add", "sign", sign_model(root / "sign"))
    try:
        yield shell
    finally:
        assert server.stop() == 0


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Four rows with keys, of which the first two lie above zero."""
    path = tmp_path / "rows.csv"
    path.write_text("customer,x,y\na,1,1\nb,2,0.5\nc,-1,0\nd,-2,-2\n")
    return path


def fitted_pipeline(folder: Path) -> tuple[Path, Path]:
    """A pipeline of scikit-learn in a file, and some of the rows that it was fitted on."""
    import joblib
    import numpy as np
    import pandas as pd
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    random = np.random.default_rng(0)
    frame = pd.DataFrame({"age": random.integers(18, 80, 200), "income": random.normal(40_000, 9_000, 200).round(2)})
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, frame["age"] > 45)
    joblib.dump(pipeline, folder / "model.joblib")
    frame.head(10).to_csv(folder / "rows.csv", index=False)
    return folder / "model.joblib", folder / "rows.csv"


@pytest.mark.skipif(os.name != "posix" or shutil.which("curl") is None, reason="only on systems with sh and curl")
def test_model_of_ones_own_is_served_in_three_commands(served: Shell, tmp_path: Path) -> None:
    model, example = fitted_pipeline(tmp_path)

    printed = served.run("models", "add", "churn", model, "--example", example).stdout
    curl = printed[printed.index("curl ") :]
    answer = subprocess.run(["sh", "-c", curl], capture_output=True, text=True, timeout=60, check=True)

    assert "churn version 1 (champion), sklearn" in printed
    assert json.loads(answer.stdout)["predictions"][0]["label"] in (True, False)


@pytest.mark.parametrize("language", ["python", "node"])
def test_printed_call_works_when_pasted(served: Shell, tmp_path: Path, language: str) -> None:
    program = sys.executable if language == "python" else shutil.which("node")
    if program is None:
        pytest.skip("only on systems with Node.js")
    path = tmp_path / ("call.py" if language == "python" else "call.mjs")

    path.write_text(served.run("models", "show", "sign", "--call", language).stdout)
    answer = subprocess.run([program, str(path)], capture_output=True, text=True, timeout=60, check=True)

    assert json.loads(answer.stdout)["predictions"][0]["label"] is True


def test_predictions_are_the_same_in_every_form(served: Shell, rows: Path, tmp_path: Path) -> None:
    lines = tmp_path / "rows.jsonl"
    lines.write_text('{"x": 1, "y": 1}\n[2, 0.5]\n{"x": -1, "y": 0}\n{"x": -2, "y": -2}\n')
    document = '{"rows": [[1, 1], [2, 0.5], [-1, 0], [-2, -2]], "keys": ["a", "b", "c", "d"]}'

    from_csv = list(csv.DictReader(io.StringIO(served.run("predict", "sign", rows, "--key", "customer").stdout)))
    from_lines = [json.loads(line) for line in served.run("predict", "sign", lines).stdout.splitlines()]
    from_input = json.loads(served.run("predict", "sign", "-", text=document).stdout)

    assert [row["key"] for row in from_csv] == [row["key"] for row in from_input] == ["a", "b", "c", "d"]
    assert [row["label"] for row in from_csv] == ["true", "true", "false", "false"]
    assert [row["label"] for row in from_lines] == [row["label"] for row in from_input] == [True, True, False, False]
    probabilities = [row["probabilities"] for row in from_lines]
    assert probabilities == [row["probabilities"] for row in from_input]
    assert [float(row["probability_true"]) for row in from_csv] == [each["true"] for each in probabilities]


def test_predictions_of_a_large_file_come_in_its_order(served: Shell, tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    path.write_text("x,y\n" + "".join(f"{number - 1250}.5,0\n" for number in range(2500)))

    answered = served.json("predict", "sign", path)

    assert [row["label"] for row in answered] == [number >= 1250 for number in range(2500)]
    assert len({row["id"] for row in answered}) == 3


def test_cells_that_do_not_fit_are_named_with_their_lines(served: Shell, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("x,y\n1,2\nabc,2\n3,\n")

    errors = served.run("predict", "sign", path, expect=1).stderr

    assert "input 'x', line 3: expected float64, got \"abc\"" in errors
    assert "input 'y', line 4: expected float64, got an empty cell" in errors


def test_server_refusal_names_the_line_of_the_file(served: Shell, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"x": 1, "y": 1}\n\n{"x": "1", "y": 1}\n')

    errors = served.run("predict", "sign", path, expect=1).stderr

    assert errors == f"Error: {path}: input 'x', line 3: expected float64, got \"1\"\n"


def test_labels_are_counted_and_refused_by_line(served: Shell, rows: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("customer,positive\na,1\nb,true\nc,maybe\nnobody,0\n")
    served.run("predict", "sign", rows, "--key", "customer")

    words = ("feedback", "sign", labels, "--key", "customer", "--label", "positive")
    checked = served.json(*words, "--check", expect=1)
    sent = served.run(*words, expect=1)
    again = served.json(*words, expect=1)
    quality = served.json("quality", "sign", "--by", "day")

    assert (checked["matched"], checked["parked"], checked["check"]) == (2, 1, True)
    assert checked["rejected"][0]["line"] == 4
    assert 'line 4: "maybe" is no class of the model: false, true' in sent.stdout
    assert 'read "1" as true once' in sent.stderr
    assert (again["matched"], again["repeated"], again["parked"]) == (0, 3, 0)
    assert sum(window["labelled"] for window in quality["windows"]) == 2


def test_aliases_move_and_come_back(served: Shell, tmp_path: Path) -> None:
    second = sign_model(tmp_path / "biased", bias=10.0)
    added = served.json("models", "add", "sign", second, "--alias", "challenger")

    served.run("models", "traffic", "sign", "--canary", "challenger=25")
    split = served.run("models", "traffic", "sign").stdout
    served.run("models", "traffic", "sign", "--no-canary")
    promoted = served.run("models", "promote", "sign", "challenger", "--reason", "it is bolder").stdout
    back = served.json("models", "rollback", "sign")
    history = served.run("models", "history", "sign").stdout

    assert added["version"] == "2"
    assert split == "traffic of sign: champion 75%, challenger 25%\n"
    assert promoted == "champion of sign is version 2\n"
    assert back["aliases"]["champion"] == "1"
    assert "it is bolder" in history
    assert max(map(len, history.splitlines())) <= 80


def test_job_is_queued_waited_for_and_listed(served: Shell, rows: Path) -> None:
    job = served.json("jobs", "submit", "sign", rows, "--key", "customer", "--wait", "60")
    listed = served.json("jobs", "list", "--model", "sign", "--state", "succeeded")
    shown = served.run("jobs", "show", job["id"]).stdout
    too_late = served.run("jobs", "cancel", job["id"], expect=1).stderr

    assert job["state"] == "succeeded"
    assert [row["label"] for row in job["result"]["predictions"]] == [True, True, False, False]
    assert job["id"] in [each["id"] for each in listed["jobs"]]
    assert "succeeded" in shown
    assert too_late.startswith("Error: ")


def test_shared_options_stand_before_and_after_the_command(served: Shell) -> None:
    before = served.run("--json", "models", "list").stdout
    after = served.run("models", "list", "--json").stdout

    assert json.loads(before) == json.loads(after)


def test_model_of_a_wrong_name_is_guessed(served: Shell) -> None:
    assert (
        served.run("models", "show", "sgin", expect=1).stderr == "Error: unknown model 'sgin': did you mean 'sign'?\n"
    )


def test_second_server_is_refused_with_the_first_ones_address(served: Shell) -> None:
    note = json.loads((served.folder / "server.json").read_text())

    errors = served.run("serve", "--port", "0", expect=1).stderr

    assert str(note["pid"]) in errors
    assert note["url"] in errors


def test_schema_is_not_changed_beneath_a_server(served: Shell) -> None:
    assert served.run("db", "check").stdout.startswith("the schema is up to date")
    assert "is in use by" in served.run("db", "upgrade", expect=1).stderr


def test_model_is_removed_only_by_who_is_sure(served: Shell, tmp_path: Path) -> None:
    served.run("models", "add", "doomed", sign_model(tmp_path / "doomed"))

    asked = served.run("models", "remove", "doomed", expect=1)
    served.run("models", "remove", "doomed", "--yes")

    assert asked.stderr == "Error: nobody can be asked here: add --yes\n"
    assert "doomed" not in [model["name"] for model in served.json("models", "list")["models"]]


def test_doctor_finds_the_server_well(served: Shell) -> None:
    report = served.json("doctor")

    findings = {finding["check"]: finding for finding in report["findings"]}
    assert report["is_healthy"] is True
    assert findings["server"]["status"] == findings["artefacts"]["status"] == findings["schema"]["status"] == "ok"


def test_folder_without_a_server_is_opened_by_the_command(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "data")
    folder = tmp_path / "churn"

    shell.run("models", "new", "churn", folder)
    added = shell.json("models", "add", "churn", folder)
    answered = shell.json("predict", "churn", folder / "example.json")
    listed = shell.run("models", "list")

    assert added["aliases"] == ["champion"]
    assert [row["label"] for row in answered] == [True, False]
    assert listed.stdout.splitlines()[1].split()[:3] == ["churn", "1", "1"]
    assert listed.stderr == ""
    assert not (tmp_path / "data" / "server.json").exists()


def test_doctor_finds_a_damaged_artefact(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "data")
    shell.run("models", "add", "sign", sign_model(tmp_path / "sign"))
    archive = next((tmp_path / "data" / "artefacts").glob("*.zip"))
    archive.write_bytes(archive.read_bytes()[:-1] + b"?")

    printed = shell.run("doctor", expect=1).stdout

    assert "is damaged" in printed
    assert "What to do, the most urgent first:\n1. artefacts" in printed


def test_schema_is_made_and_checked_without_a_server(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "data")

    absent = shell.run("db", "check", expect=1).stderr
    made = shell.run("db", "upgrade").stdout
    again = shell.run("db", "upgrade").stdout

    assert "run `mlp db upgrade`" in absent
    assert made.startswith("the schema went from none to ")
    assert again.startswith("the schema is up to date")
    assert shell.json("db", "check")["revision"] in made


@pytest.mark.skipif(os.name != "posix", reason="only on systems with SIGINT for one process")
def test_interrupted_command_ends_without_a_word(served: Shell) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "mlp", "feedback", "sign", "-", "--format", "jsonl", "--key", "k"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=served.environment,
    )
    reading = Path(f"/proc/{process.pid}/wchan")
    if not reading.exists():
        process.kill()
        pytest.skip("only on Linux: tells when the command waits for its input")
    until(lambda: "pipe" in reading.read_text(), 60, lambda: f"exit code {process.poll()}")

    process.send_signal(signal.SIGINT)
    printed, errors = process.communicate(timeout=60)

    assert (process.returncode, printed, errors) == (130, "", "")
