"""Writes deploy/grafana/dashboards from the definitions: ``python -m deploy.grafana.build``, from the root.

With ``--check`` it writes nothing and names the files that differ.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

if __package__ in (None, ""):  # called by its path: let the imports below find the repository's root
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from deploy.grafana.builder import text_of
from deploy.grafana.definitions import DASHBOARDS

FOLDER = Path(__file__).resolve().parent / "dashboards"


def stale_files(folder: Path = FOLDER) -> list[Path]:
    """Files that are not as the definitions say, those that no definition knows included."""
    fresh = {folder / f"{dashboard.uid}.json": text_of(dashboard) for dashboard in DASHBOARDS}
    differing = [path for path, text in fresh.items() if not path.is_file() or path.read_text("utf-8") != text]
    return differing + sorted(set(folder.glob("*")) - fresh.keys())


def write(folder: Path = FOLDER) -> None:
    """Make the folder's files those of the definitions."""
    for path in stale_files(folder):
        path.unlink(missing_ok=True)
    for dashboard in DASHBOARDS:
        path = folder / f"{dashboard.uid}.json"
        path.write_text(text_of(dashboard), encoding="utf-8", newline="\n")


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 if ``--check`` found a difference."""
    stale = stale_files()
    names = ", ".join(path.name for path in stale)
    if "--check" in arguments:
        if stale:
            sys.stdout.write(f"out of date: {names}; run: python -m deploy.grafana.build\n")
        return 1 if stale else 0
    write()
    sys.stdout.write(f"written: {names or 'nothing, all were up to date'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
