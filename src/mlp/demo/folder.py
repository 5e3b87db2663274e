"""The demo's own folder: made, recognised by a marker file, emptied for a fresh start; no other folder is touched."""

import shutil
from pathlib import Path

from mlp.errors import Conflict, FolderInUse
from mlp.storage.ownership import find_server

MARKER = "flights-demo.txt"
_MARKER_TEXT = (
    "Made by the flight demo of MLP: the server's data, the report and its picture.\n"
    "The next run of the demo with this folder empties it first.\n"
)


def prepare_folder(folder: Path) -> None:
    """Leaves the folder there and empty but for the marker: made anew, or an earlier demo's with all it held removed.

    Raises:
        Conflict: The path is a file, or a folder that holds anything and was not made by the demo.
        FolderInUse: A server still runs on an earlier demo's folder.
    """
    if folder.exists() and not folder.is_dir():
        raise Conflict(f"{folder} is a file: name a folder for the demo with --folder")
    marker = folder / MARKER
    contents = list(folder.iterdir()) if folder.is_dir() else []
    if contents and not marker.is_file():
        raise Conflict(
            f"{folder} holds files that are not of an earlier demo, and is left as it is: name another with --folder"
        )
    server = find_server(folder)
    if server is not None:
        raise FolderInUse(
            f"the server with pid {server.pid} runs on {folder}: stop it, or name another folder with --folder"
        )
    for path in contents:
        # The marker goes last, that is never: a removal cut short leaves a folder that is still the demo's.
        if path != marker:
            _remove(path)
    folder.mkdir(parents=True, exist_ok=True)
    marker.write_text(_MARKER_TEXT, encoding="utf-8")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
