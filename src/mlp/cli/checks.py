"""What ``mlp doctor`` looks at: each check says what it found, and what mends it.

No check changes anything, and none raises: what a check stumbles over is its finding.
"""

import platform
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from mlp import __version__
from mlp.cli.output import count, listed, size
from mlp.client.examination import Status
from mlp.errors import MLPError, SchemaOutdated

if TYPE_CHECKING:
    from mlp.config import Settings

#: Below it a server calls itself degraded; twice as much is worth a warning already.
FREE_BYTES_WARNING = 1 << 30
FREE_BYTES_FAILED = 256 << 20

_FRAMEWORKS = {
    "scikit-learn": "sklearn",
    "lightgbm": "lightgbm",
    "onnxruntime": "onnx",
    "pandas": "pandas",
    "psycopg": "postgres",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        remedy: The command, or the deed, that mends it; empty where nothing needs to be done.
    """

    check: str
    status: Status
    detail: str
    remedy: str = ""


def installed() -> Iterator[Finding]:
    """This Python, this mlp and the frameworks beside it."""
    yield Finding("Python", Status.OK, f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield Finding("mlp", Status.OK, __version__)
    versions = {}
    for distribution in _FRAMEWORKS:
        try:
            versions[distribution] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    absent = [extra for distribution, extra in _FRAMEWORKS.items() if distribution not in versions]
    detail = listed(f"{distribution} {version}" for distribution, version in versions.items())
    remedy = f'pip install "mlp-stack[{",".join(absent)}]", if your models need them' if absent else ""
    yield Finding("frameworks", Status.OK if versions else Status.NOTE, detail, "" if versions else remedy)


def folder(settings: "Settings") -> Iterator[Finding]:
    """The data folder, its disk, and who owns it."""
    from mlp.storage.ownership import find_server

    path = settings.folder
    if not path.is_dir():
        yield Finding("folder", Status.NOTE, f"{path} is not there yet", "mlp serve makes it")
        return
    yield Finding("folder", Status.OK, str(path.absolute()))
    free_bytes = shutil.disk_usage(path).free
    if free_bytes < FREE_BYTES_WARNING:
        status = Status.FAILED if free_bytes < FREE_BYTES_FAILED else Status.WARNING
        yield Finding("disk", status, f"only {size(free_bytes)} free", f"make room on the disk of {path}")
    else:
        yield Finding("disk", Status.OK, f"{size(free_bytes)} free")
    server = find_server(path)
    if server is None:
        yield Finding("server", Status.NOTE, "none runs on the folder", "mlp serve")
    elif server.url is None:
        yield Finding("server", Status.NOTE, f"pid {server.pid} holds the folder: a command, or a server that starts")
    else:
        yield Finding("server", Status.OK, f"pid {server.pid}, {server.url}")


def database(settings: "Settings") -> Iterator[Finding]:
    """Whether the database answers, and has this release's schema."""
    from mlp.cli.database import is_there
    from mlp.stack import open_database
    from mlp.storage import schema

    if not is_there(settings):
        yield Finding("database", Status.NOTE, "not there yet", "mlp serve makes it")
        return
    with closing(open_database(settings)) as opened:
        where = opened.url.render_as_string(hide_password=True)
        opened.check()
        yield Finding("database", Status.OK, where)
        try:
            schema.check(opened)
        except SchemaOutdated as error:
            yield Finding("schema", Status.FAILED, error.message, "mlp db upgrade")
        else:
            yield Finding("schema", Status.OK, schema.HEAD)


def artefacts(settings: "Settings") -> Iterator[Finding]:
    """Whether every registered version still has its artefact, byte for byte; reads all of them."""
    from mlp.cli.database import is_there
    from mlp.registry.store import list_digests
    from mlp.stack import Places, open_database
    from mlp.storage.disk import sha256_of

    if not is_there(settings):
        return
    with closing(open_database(settings)) as opened, opened.reading() as connection:
        digests = list_digests(connection)
    root = Places(settings.folder).artefacts
    damaged = 0
    for digest in sorted(digests):
        archive = root / f"{digest}.zip"
        trouble = _trouble_of(archive, digest, sha256_of)
        if trouble is not None:
            damaged += 1
            remedy = f"restore {archive} from a backup, or register the version again with mlp models add"
            yield Finding("artefacts", Status.FAILED, f"{digest[:12]}… {trouble}", remedy)
    if not damaged:
        yield Finding("artefacts", Status.OK, f"{count(len(digests))} verified by SHA-256")


def _trouble_of(archive: Path, digest: str, sha256_of: Callable[[Path], str]) -> str | None:
    try:
        return None if sha256_of(archive) == digest else "is damaged"
    except FileNotFoundError:
        return "is gone"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def spool(settings: "Settings") -> Iterator[Finding]:
    """How much of what was recorded is still on its way to the database."""
    from mlp.inference.spool import backlog_bytes
    from mlp.stack import Places
    from mlp.storage.ownership import find_server

    waiting_bytes = backlog_bytes(Places(settings.folder).spool)
    detail = f"{size(waiting_bytes)} on disk of at most {size(settings.spool_bytes_max)}"
    if waiting_bytes > settings.spool_bytes_max / 2:
        yield Finding("spool", Status.WARNING, detail, "see that the database answers: the spool is emptied into it")
    elif waiting_bytes and find_server(settings.folder) is None:
        yield Finding("spool", Status.NOTE, detail, "mlp serve moves it into the database")
    else:
        yield Finding("spool", Status.OK, detail)


def readiness(settings: "Settings") -> Iterator[Finding]:
    """What the running server says of itself: its components, and its models."""
    from mlp.cli.connection import connect
    from mlp.storage.ownership import find_server

    if settings.url is None:
        server = find_server(settings.folder)
        if server is None or server.url is None:
            return
    with connect(settings) as client:
        ready = client.ready()
    is_loading = [state.get("detail") == _LOADING for state in ready.models.values()]
    if ready.status != "unavailable":
        yield Finding("ready", Status.OK if ready.status == "ready" else Status.WARNING, ready.status)
    elif all(is_loading):
        yield Finding("ready", Status.WARNING, "the server has just started", "ask again in a moment")
    else:
        yield Finding("ready", Status.FAILED, "the server cannot predict", "what is listed below says why")
    for name, component in ready.components.items():
        if component.status != "ready":
            yield Finding(name, Status.WARNING, component.detail or component.status, _COMPONENT_REMEDIES.get(name, ""))
    for name, state in ready.models.items():
        version = f"version {state.get('version')}"
        if state.get("detail") == _LOADING:
            yield Finding(f"model {name}", Status.NOTE, f"{version} is being loaded")
        elif state.get("status") != "ready":
            detail = f"{version}: {state.get('detail') or state.get('status')}"
            yield Finding(f"model {name}", Status.FAILED, detail, f"mlp models rollback {shlex.quote(name)}")


#: What a server says of a model that it has not loaded yet.
_LOADING = "loading"
_COMPONENT_REMEDIES = {
    "database": "see that the database answers; predictions go on, and are recorded in the spool",
    "recording": "see that the database answers, and that the disk has room",
    "disk": "make room on the disk of the data folder",
}

#: Checks of a data folder in the order in which one failure causes the next.
LOCAL_CHECKS = (folder, database, artefacts, spool)


def examine(settings: "Settings") -> Iterator[Finding]:
    """All findings; of a folder only where no server is named."""
    yield from installed()
    local = LOCAL_CHECKS if settings.url is None else ()
    for check in (*local, readiness):
        try:
            yield from check(settings)
        except MLPError as error:
            yield Finding(check.__name__, Status.FAILED, error.message)
        except OSError as error:
            yield Finding(check.__name__, Status.FAILED, f"{error.strerror}: {error.filename}")


def ranked(findings: list[Finding]) -> list[Finding]:
    """The findings that something should be done about: the worst first, causes before what follows from them."""
    order = list(Status)
    wanting = [each for each in findings if each.remedy or each.status in (Status.FAILED, Status.WARNING)]
    return sorted(wanting, key=lambda each: order.index(each.status))
