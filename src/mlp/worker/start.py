"""Starts a worker: what must stand in the environment before Celery and prometheus_client are imported."""

import os
import shutil
import tempfile
from pathlib import Path

from mlp.config import Settings
from mlp.observability import logging as log_lines

_PREFIX = "mlp-worker-metrics-"


def run_worker(settings: Settings) -> int:
    """Run a worker until a signal; the exit code.

    Side effects: sets a variable of this process's environment, makes a folder for its metrics and removes it.

    Raises:
        ConfigurationInvalid: No broker is named, a queue is unknown, or the port for metrics is in use.
    """
    log_lines.set_up(settings.log_level, settings.log_format)
    _remove_left_behind()
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    # prometheus_client chooses its multiprocess mode when it is imported.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)  # noqa: TID251
    try:
        from mlp.worker.parent import WorkerParent

        return WorkerParent(settings).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_left_behind() -> None:
    """The folders of workers that were killed and could not remove their own."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        pid = folder.name.removeprefix(_PREFIX).split("-")[0]
        if pid.isdecimal() and not Path("/proc", pid).exists() and Path("/proc/self").exists():
            shutil.rmtree(folder, ignore_errors=True)
