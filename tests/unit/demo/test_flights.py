"""The demo from end to end, on a few days of real flights and the real server."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mlp.demo.flights import FlightsDemoOptions, run_flights_demo
from mlp.errors import BadInput, Conflict
from mlp.storage.ownership import find_server

#: The first two days of March, by the day they were scheduled on.
TWO_DAYS_FLIGHTS = 958 + 765


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_demo_of_two_days_replays_every_flight_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "demo"

    exit_code = run_flights_demo(FlightsDemoOptions(folder=folder, days=2, stay=False))

    report = (folder / "report.md").read_text(encoding="utf-8")
    assert exit_code == 0
    assert f"each of the {TWO_DAYS_FLIGHTS:,} flights" in report
    text, _, picture = report.rpartition("\n![")
    assert text in capsys.readouterr().out
    assert picture.endswith("(report.png)\n")
    assert (folder / "report.png").stat().st_size > 10_000
    # What the server counted and what the answers say are the same.
    assert re.search(r"without the server's records, differs by at most 0\.0000", report)
    assert find_server(folder) is None


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(sys.platform == "win32", reason="only on systems with signals")
def test_demo_interrupted_while_it_replays_leaves_no_server(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mlp", "demo", "flights", "--folder", str(tmp_path), "--speed", "0.001"]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    with demo, demo.stdout or sys.stdin as lines:
        told = ""
        while "flights, 0 a second" not in told and "a second, p50" not in told:
            line = lines.readline()
            assert line, f"the demo ended too early:\n{told}"
            told += line
        is_served = find_server(tmp_path) is not None

        demo.send_signal(signal.SIGINT)
        told += lines.read()

    assert is_served
    assert demo.returncode == 130, told
    assert "Stopped by Ctrl-C" in told
    assert find_server(tmp_path) is None


def test_demo_with_contradicting_options_touches_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        run_flights_demo(FlightsDemoOptions(folder=tmp_path / "demo", full=True, january=True))

    assert not list(tmp_path.iterdir())


def test_demo_in_a_folder_of_something_else_touches_nothing(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()

    with pytest.raises(Conflict):
        run_flights_demo(FlightsDemoOptions(folder=tmp_path))

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
