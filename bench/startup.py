"""How long `mlp serve` takes until it can predict, beyond what loading the same model with its framework takes.

Prints both medians of ROUNDS alternating rounds, after one round that warms the disk cache, and ends with exit code 1
if the difference is over the bar.
"""

import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

ROUNDS = 5
BAR_SECONDS = 1.5
READY_SECONDS_MAX = 60.0
# Each look costs the server milliseconds, which the start would be measured with.
POLL_SECONDS = 0.02
MLP = Path(sys.executable).with_name("mlp.exe" if sys.platform == "win32" else "mlp")

LOAD_WITH_FRAMEWORK_ALONE = """
import sys, joblib, sklearn
model = joblib.load(sys.argv[1])
print(type(model).__name__, flush=True)
sys.stdin.read()
"""


def write_model(folder: Path) -> tuple[Path, Path]:
    """A scikit-learn pipeline of 30 features, and rows to show what it takes: model.joblib and rows.csv."""
    import joblib
    import pandas as pd
    from sklearn.datasets import load_breast_cancer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, target = load_breast_cancer(return_X_y=True)
    frame = pd.DataFrame(features, columns=[f"x{number}" for number in range(features.shape[1])])
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(frame, target)
    joblib.dump(model, folder / "model.joblib")
    frame.head(20).to_csv(folder / "rows.csv", index=False)
    return folder / "model.joblib", folder / "rows.csv"


def environment(**settings: str) -> dict[str, str]:
    """This process's variables and the settings; children may write bytecode, as where the product is installed."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, **settings}


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str | Path], variables: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A child process with its ends in pipes, taken down at the end."""
    with subprocess.Popen(
        command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def seconds_until_ready(data_folder: Path) -> float:
    """From starting the process of `mlp serve` to the first 200 of /health/ready."""
    port = free_port()
    variables = environment(MLP_FOLDER=str(data_folder), MLP_PORT=str(port), MLP_LOG_LEVEL="error")
    started = time.perf_counter()
    with running([MLP, "serve"], variables) as server:
        while not is_ready(f"http://127.0.0.1:{port}/health/ready"):
            if server.poll() is not None or time.perf_counter() - started > READY_SECONDS_MAX:
                sys.exit(f"mlp serve was not ready after {READY_SECONDS_MAX:.0f} s (exit code {server.poll()})")
            time.sleep(POLL_SECONDS)
        return time.perf_counter() - started


def is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, http.client.HTTPException):  # not listening yet, or not ready yet: an answer of 503
        return False


def seconds_until_loaded(model: Path) -> float:
    """From starting a plain Python to the moment when it has imported scikit-learn and loaded the model."""
    started = time.perf_counter()
    with running([sys.executable, "-c", LOAD_WITH_FRAMEWORK_ALONE, model], environment()) as process:
        assert process.stdout is not None
        if not process.stdout.readline():
            sys.exit("scikit-learn alone could not load the model")
        return time.perf_counter() - started


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="mlp-bench-") as name:
        folder = Path(name)
        model, rows = write_model(folder)
        data_folder = folder / "data"
        add: list[str | Path] = [MLP, "models", "add", "bench", model, "--example", rows]
        variables = environment(MLP_FOLDER=str(data_folder))
        subprocess.run(add, env=variables, check=True, timeout=300, capture_output=True)
        served, loaded = [], []
        for round_number in range(ROUNDS + 1):
            round_served, round_loaded = seconds_until_ready(data_folder), seconds_until_loaded(model)
            if round_number > 0:
                served.append(round_served)
                loaded.append(round_loaded)
    print_line("mlp serve, until /health/ready answers 200", served)
    print_line("Python, until scikit-learn has loaded the model", loaded)
    beyond = statistics.median(served) - statistics.median(loaded)
    is_met = beyond <= BAR_SECONDS
    print(f"beyond the framework: {beyond:.2f} s (bar: at most {BAR_SECONDS} s): {'met' if is_met else 'MISSED'}")
    return 0 if is_met else 1


def print_line(what: str, seconds: list[float]) -> None:
    rounds = ", ".join(f"{value:.2f}" for value in sorted(seconds))
    print(f"{what}: median {statistics.median(seconds):.2f} s of {rounds}")


if __name__ == "__main__":
    sys.exit(main())
