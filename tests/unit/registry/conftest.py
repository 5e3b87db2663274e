"""A registry on an SQLite file of its own, with the schema made once for all tests."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from mlp.config import Settings
from mlp.jobs.service import JobService
from mlp.registry.service import RegistryService
from mlp.registry.snapshot import Resolution
from mlp.registry.values import Version
from mlp.storage import schema
from mlp.storage.artefacts import ArtefactStore
from mlp.storage.database import Database, sqlite_url
from tests.versions import new_version, zip_bytes

AddVersion = Callable[..., Version]


@pytest.fixture(scope="session")
def migrated_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an empty database of this release."""
    folder = tmp_path_factory.mktemp("migrated")
    database = Database(sqlite_url(folder))
    schema.upgrade(database)
    database.close()
    return folder


@pytest.fixture
def database(migrated_folder: Path, tmp_path: Path) -> Iterator[Database]:
    """A copy of the empty database, for one test."""
    shutil.copyfile(migrated_folder / "mlp.sqlite", tmp_path / "mlp.sqlite")
    database = Database(sqlite_url(tmp_path), timeout_seconds=5.0)
    yield database
    database.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(folder=tmp_path, upload_bytes_max=1_000_000)


@pytest.fixture
def artefacts(tmp_path: Path) -> ArtefactStore:
    return ArtefactStore(tmp_path / "artefacts")


@pytest.fixture
def jobs(database: Database, settings: Settings) -> Iterator[JobService]:
    """Takes jobs; nobody does them."""
    jobs = JobService(database, settings)
    yield jobs
    jobs.close()


@pytest.fixture
def registry(database: Database, artefacts: ArtefactStore, jobs: JobService, settings: Settings) -> RegistryService:
    return RegistryService(database, artefacts, jobs, settings)


@pytest.fixture
def add(registry: RegistryService, artefacts: ArtefactStore) -> AddVersion:
    """Adds a version of a model over an artefact of its own."""

    def add_version(
        model: str = "churn", *, alias: str | None = None, said: Mapping[str, object] | None = None
    ) -> Version:
        new = new_version(model)
        digest = artefacts.keep(artefacts.receive([zip_bytes({"mlp.toml": new.id.encode()})], 10_000))
        return registry.add_version(new_version(model, digest=digest), alias=alias, settings=said)

    return add_version


@pytest.fixture
def loaded(registry: RegistryService) -> list[Resolution]:
    """What the registry had loaded, in order."""
    loaded: list[Resolution] = []
    registry.attach(ensure_loaded=loaded.append, build_reference=registry.build_reference)
    return loaded
