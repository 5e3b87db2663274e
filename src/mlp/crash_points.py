"""Places where a test may end this process as kill -9 would: between every two steps of a job's path.

A process that was told of a folder dies at the point whose file it finds there, and takes the file away first, so
that one process dies once. Without a folder, as everywhere outside the fault tests, a point costs one comparison.
"""

import os
import signal
from pathlib import Path

_folder: Path | None = None


def arm(folder: Path | None) -> None:
    """Look for files in this folder from now on, in this process and those it forks; None: in none."""
    global _folder  # one per process, as the death that it leads to
    _folder = folder


def reach(point: str) -> None:
    """Pass the point, or die there if the folder has a file of its name."""
    if _folder is not None:
        _die_if_wanted(_folder / point)


def _die_if_wanted(order: Path) -> None:
    try:
        order.unlink()
    except OSError:
        return  # not wanted, or another process was quicker
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
