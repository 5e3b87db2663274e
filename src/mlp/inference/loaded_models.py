"""Versions held in memory, each with its readers and its batcher; a new one is loaded before an old one goes.

What an alias names stays; of the others the least used leave first. Loading happens in threads, answers on the loop.
"""

import gc
import logging
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from mlp.clock import monotonic
from mlp.config import Settings
from mlp.errors import MLPError, ModelNotReady
from mlp.inference import metrics
from mlp.inference.answers import AnswerWriter
from mlp.inference.batching import Batcher
from mlp.registry.environment import check_at_load
from mlp.registry.snapshot import Resolution
from mlp.runtimes.base import LoadedModel
from mlp.runtimes.catalog import load_version
from mlp.signature import Signature
from mlp.signature.rows import RowReader
from mlp.signature.tensors import TensorReader

_log = logging.getLogger(__name__)
_FAILED_LOAD_SECONDS = 5.0  # a version that failed to load is not tried again for every request

#: Model name and version number.
VersionKey = tuple[str, int]


@dataclass(eq=False)
class LoadedVersion:
    """One version in memory with everything that its requests need."""

    name: str
    number: int
    signature: Signature
    model: LoadedModel
    batcher: Batcher
    row_reader: RowReader
    tensor_reader: TensorReader
    writer: AnswerWriter
    used_at: float = field(default_factory=monotonic)


@dataclass(frozen=True)
class _Failure:
    error: MLPError
    at: float


class LoadedModels:
    """The versions that this process holds. Public methods are safe for use by several threads.

    Args:
        open_folder: The unpacked, verified folder of an artefact by its digest.
        write_frames: Records frames; the flag asks for durability.
    """

    def __init__(
        self,
        settings: Settings,
        open_folder: Callable[[str], Path],
        write_frames: Callable[[Sequence[bytes], bool], None],
    ) -> None:
        self._settings = settings
        self._open_folder = open_folder
        self._write_frames = write_frames
        self._lock = threading.Lock()
        self._loaded: dict[VersionKey, LoadedVersion] = {}
        self._loading: dict[VersionKey, Future[LoadedVersion]] = {}
        self._failures: dict[VersionKey, _Failure] = {}

    def find(self, key: VersionKey) -> LoadedVersion | None:
        """The version if it is in memory; marks it as used."""
        loaded = self._loaded.get(key)
        if loaded is not None:
            loaded.used_at = monotonic()
        return loaded

    def failures(self) -> dict[VersionKey, str]:
        """Why versions that were asked for could not be loaded; readiness shows it."""
        with self._lock:
            return {key: failure.error.message for key, failure in self._failures.items()}

    def loaded(self) -> list[LoadedVersion]:
        """Everything in memory now."""
        with self._lock:
            return list(self._loaded.values())

    def ensure(self, wanted: Resolution) -> LoadedVersion:
        """The version, loaded by this call or by one under way. Blocks; call it from a thread.

        Raises:
            ArtefactCorrupt, EnvironmentMismatch, VersionRefused, MissingExtra: It cannot be loaded.
        """
        key = (wanted.model, wanted.number)
        with self._lock:
            loaded = self._loaded.get(key)
            if loaded is not None:
                return loaded
            pending = self._loading.get(key)
            if pending is None:
                mine: Future[LoadedVersion] = Future()
                self._loading[key] = mine
        if pending is not None:
            return pending.result(self._settings.acceptance_seconds)
        return self._load_as_owner(key, wanted, mine)

    def recent_failure(self, key: VersionKey) -> MLPError | None:
        """The error of a load that failed moments ago, so that not every request tries again."""
        failure = self._failures.get(key)
        return failure.error if failure is not None and monotonic() - failure.at < _FAILED_LOAD_SECONDS else None

    def _load_as_owner(self, key: VersionKey, wanted: Resolution, mine: "Future[LoadedVersion]") -> LoadedVersion:
        try:
            loaded = self._load(wanted)
        except BaseException as error:
            failure = error if isinstance(error, MLPError) else ModelNotReady(f"{wanted.model} did not load: {error!r}")
            with self._lock:
                self._failures[key] = _Failure(failure, monotonic())
                del self._loading[key]
            mine.set_exception(failure)
            _log.error("a version did not load: %s", failure, extra={"model": key[0], "version": key[1]})
            raise failure from (None if failure is error else error)
        with self._lock:
            self._loaded[key] = loaded
            self._failures.pop(key, None)
            del self._loading[key]
        mine.set_result(loaded)
        metrics.loaded_versions.set(len(self._loaded))
        return loaded

    def _load(self, wanted: Resolution) -> LoadedVersion:
        started = monotonic()
        folder = self._open_folder(wanted.digest)
        # The server may have been upgraded since the version was accepted: a pickle must not notice that by itself.
        for difference in check_at_load(folder, wanted.environment):
            _log.warning(difference, extra={"model": wanted.model, "version": wanted.number})
        model = load_version(folder, wanted.signature, wanted.runtime, self._threads())
        batcher = self._make_batcher(wanted, model)
        # What a framework brought in stays: the collector need not walk through it again and again.
        gc.collect()
        gc.freeze()
        _log.info(
            "version loaded in %.2f s", monotonic() - started, extra={"model": wanted.model, "version": wanted.number}
        )
        return LoadedVersion(
            name=wanted.model,
            number=wanted.number,
            signature=wanted.signature,
            model=model,
            batcher=batcher,
            row_reader=RowReader(wanted.signature),
            tensor_reader=TensorReader(wanted.model, wanted.signature),
            writer=AnswerWriter(wanted.signature),
        )

    def _make_batcher(self, wanted: Resolution, model: LoadedModel) -> Batcher:
        return Batcher(
            f"{wanted.model}/{wanted.number}",
            wanted.signature,
            model.predict,
            self._write_frames,
            rows_max=self._settings.batch_rows_max,
            queue_rows_max=self._settings.queue_rows_max,
        )

    def _threads(self) -> int:
        if self._settings.model_threads > 0:
            return self._settings.model_threads
        return max(1, (os.cpu_count() or 1) // self._settings.processes)

    async def keep_only(self, named: set[VersionKey]) -> None:
        """Put away the least used versions that no alias names, beyond the limit of the settings."""
        with self._lock:
            unnamed = sorted((item.used_at, key) for key, item in self._loaded.items() if key not in named)
            excess = unnamed[: max(0, len(unnamed) - self._settings.loaded_versions_max)]
            gone = [self._loaded.pop(key) for _used_at, key in excess]
        for loaded in gone:
            await self._put_away(loaded)

    async def close(self) -> None:
        """Put everything away."""
        with self._lock:
            gone, self._loaded = list(self._loaded.values()), {}
        for loaded in gone:
            await self._put_away(loaded)

    async def _put_away(self, loaded: LoadedVersion) -> None:
        await loaded.batcher.close(self._settings.shutdown_seconds)
        loaded.model.close()
        metrics.loaded_versions.set(len(self._loaded))
        _log.info("version put away", extra={"model": loaded.name, "version": loaded.number})
