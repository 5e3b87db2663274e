"""The path of a prediction: resolve the version, check the input, run it in its batch, record, answer.

Every door (``/v1``, ``/v2``, jobs) comes through here. The asynchronous methods run on the server's event loop;
``predict_blocking`` is for threads.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from mlp.clock import new_id, now_micros
from mlp.config import RecordMode, Settings
from mlp.errors import MLPError
from mlp.inference import metrics, records
from mlp.inference.batching import Timing, answer_of
from mlp.inference.loaded_models import LoadedModels, LoadedVersion, VersionKey
from mlp.inference.questions import Question, check_keys
from mlp.inference.records import Record
from mlp.inference.traffic import choose_reference
from mlp.registry.service import RegistryService
from mlp.registry.snapshot import Resolution
from mlp.signature import Batch, Outputs

_log = logging.getLogger(__name__)
#: Values of an answer kept in the record; a larger answer (an image, an embedding table) is recorded without it.
RECORDED_VALUES_MAX = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request got: the version that answered, its arrays, and where the time went."""

    id: str
    version: LoadedVersion
    outputs: Outputs
    rows: int
    timing: Timing

    def as_document(self, keys: Sequence[str | None] | None) -> dict[str, Any]:
        """The answer in the friendly form of /v1."""
        return {
            "id": self.id,
            "model": self.version.name,
            "version": str(self.version.number),
            "predictions": self.version.writer.predictions(self.outputs, keys),
        }


class InferenceService:
    """Answers prediction requests; one per process."""

    def __init__(
        self,
        settings: Settings,
        registry: RegistryService,
        loaded_models: LoadedModels,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self.loaded_models = loaded_models
        self._loop: asyncio.AbstractEventLoop | None = None
        self._shadows: set[asyncio.Task[None]] = set()

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Name the loop that this service answers on."""
        self._loop = loop

    async def predict(self, question: Question) -> Answer:
        """The answer to one request.

        Raises:
            UnknownModel, UnknownVersion: Nothing of that name.
            BadInput: The input does not fit; nothing was run.
            ModelNotReady, TooManyRequests, DeadlineExceeded: Not now.
            ModelFailed: The model's own code failed.
            RecordingUnavailable: The model is recorded durably, and the spool cannot be written.
        """
        started = time.perf_counter()
        answer_id = new_id()
        snapshot = self._registry.snapshot()
        reference, role = choose_reference(snapshot, question.model, question.reference, question.keys, answer_id)
        loaded = await self.version(question.model, reference)
        try:
            answer = await self._ask(question, loaded, answer_id, role)
        except MLPError as error:
            metrics.requests.labels(loaded.name, str(loaded.number), error.code).inc()
            raise
        metrics.observe_answer(
            loaded.name,
            str(loaded.number),
            answer.rows,
            time.perf_counter() - started,
            answer.timing.queue_seconds,
        )
        self._ask_shadow(question, loaded, answer_id)
        return answer

    async def version(self, model: str, reference: str | None) -> LoadedVersion:
        """The version that a reference (None: the champion) names now, in memory.

        Raises:
            UnknownModel, UnknownVersion, VersionRefused, ModelNotReady: As for predict.
        """
        wanted = self._registry.find(model, reference)
        if wanted is None:
            # Not in memory: this asks the database, and must not hold the loop.
            wanted = await asyncio.to_thread(self._registry.resolve, model, reference)
        return await self._loaded(wanted)

    def predict_blocking(self, question: Question) -> Answer:
        """The answer to one request, for a caller in a thread; joins the same batches as everybody else."""
        loop = self._loop
        assert loop is not None
        timeout_seconds = self._settings.predict_timeout_seconds + self._settings.acceptance_seconds
        return asyncio.run_coroutine_threadsafe(self.predict(question), loop).result(timeout_seconds)

    def predict_all_blocking(self, questions: Sequence[Question]) -> "list[Answer | Exception]":
        """For each request its answer or its error; all of them are asked at once, and so share batches."""
        loop = self._loop
        assert loop is not None
        timeout_seconds = self._settings.predict_timeout_seconds + self._settings.acceptance_seconds
        asked = asyncio.run_coroutine_threadsafe(self._predict_all(questions), loop)
        return asked.result(timeout_seconds)

    async def _predict_all(self, questions: Sequence[Question]) -> "list[Answer | Exception]":
        answers = await asyncio.gather(*map(self.predict, questions), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, Exception):
                raise answer
        return cast("list[Answer | Exception]", answers)

    def ensure_loaded(self, wanted: Resolution) -> None:
        """Load the version now; the registry calls it before an alias moves. Blocks.

        Raises:
            VersionRefused: It does not load; the alias must stay where it is.
        """
        self.loaded_models.ensure(wanted)

    async def _loaded(self, wanted: Resolution) -> LoadedVersion:
        key: VersionKey = (wanted.model, wanted.number)
        loaded = self.loaded_models.find(key)
        if loaded is not None:
            return loaded
        failure = self.loaded_models.recent_failure(key)
        if failure is not None:
            raise failure
        return await asyncio.to_thread(self.loaded_models.ensure, wanted)

    async def _ask(self, question: Question, loaded: LoadedVersion, answer_id: str, role: str) -> Answer:
        given = question.read(loaded)
        rows = given.rows if isinstance(given, Batch) else len(given)
        check_keys(question.keys, rows)
        record = self._record_mode(loaded.name)
        part = loaded.batcher.submit(
            rows=None if isinstance(given, Batch) else given,
            arrays=given if isinstance(given, Batch) else None,
            on_answer=None if record == "off" else _framer(question, loaded, answer_id, role, rows),
            is_durable=record == "durable",
        )
        outputs = await answer_of(part, self._settings.predict_timeout_seconds)
        return Answer(answer_id, loaded, outputs, rows, part.timing)

    def _record_mode(self, model: str) -> RecordMode:
        entry = self._registry.snapshot().models.get(model)
        mode: RecordMode | None = None if entry is None else entry.settings.get("record")
        return self._settings.record if mode is None else mode

    def _ask_shadow(self, question: Question, answered: LoadedVersion, answer_id: str) -> None:
        """Put the same question to the model's shadow, off the answer's path; its answer is only recorded."""
        entry = self._registry.snapshot().models.get(question.model)
        shadow = None if entry is None else entry.traffic.get("shadow")
        if shadow is None or question.reference is not None:
            return
        task = asyncio.get_running_loop().create_task(self._shadow(question, shadow, answered, answer_id))
        self._shadows.add(task)
        task.add_done_callback(self._shadows.discard)

    async def _shadow(self, question: Question, alias: str, answered: LoadedVersion, answer_id: str) -> None:
        try:
            loaded = await self.version(question.model, alias)
            if loaded is not answered:
                await self._ask(question, loaded, answer_id, "shadow")
        except MLPError as error:
            metrics.requests.labels(question.model, alias, f"shadow_{error.code}").inc()
            _log.warning("the shadow did not answer: %s", error, extra={"model": question.model, "version": alias})

    async def close(self) -> None:
        """Let shadows end, answer what waits, put every version away."""
        if self._shadows:
            await asyncio.wait(self._shadows, timeout=self._settings.shutdown_seconds)
        await self.loaded_models.close()


def _framer(
    question: Question, loaded: LoadedVersion, answer_id: str, role: str, rows: int
) -> Callable[[Outputs], bytes]:
    def frame(outputs: Outputs) -> bytes:
        recorded_micros = now_micros()
        return records.encode(
            Record(
                id=answer_id,
                model=loaded.name,
                version=loaded.number,
                role=role,
                mode=question.mode,
                at_micros=recorded_micros if question.at_micros is None else question.at_micros,
                recorded_micros=recorded_micros,
                rows=rows,
                keys=question.recorded_keys(rows),
                form=question.form,
                body=question.body,
                outputs=records.outputs_as_lists(outputs, RECORDED_VALUES_MAX),
            )
        )

    return frame


def server_timing(timing: Timing, total_seconds: float) -> str:
    """The Server-Timing header (W3C Server Timing, section 2): milliseconds waiting, in the model, and in all."""
    return (
        f"queue;dur={timing.queue_seconds * 1e3:.3f}, model;dur={timing.model_seconds * 1e3:.3f}, "
        f"total;dur={total_seconds * 1e3:.3f}"
    )
