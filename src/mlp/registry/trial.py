"""Tries a version out: loads it, predicts its example together and row by row, and reports what was found.

Runs in the child process of the acceptance run, where the model's code may do as it likes.
"""

import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlp.errors import SignatureMismatch
from mlp.registry.comparison import check_expected, check_labels, lone_rows_differ
from mlp.registry.completion import Completed, complete_inputs, partial_signature, with_positive_class
from mlp.registry.environment import Environment, check_requirements, check_versions, pickles, used_environment
from mlp.registry.folder import ModelFolder, read_folder
from mlp.registry.named_modules import modules_named_by_code, modules_named_by_pickles
from mlp.runtimes.answers import UNNAMED, AnswerReader, completed, with_classes
from mlp.runtimes.base import Described, LoadedModel, Runtime
from mlp.runtimes.catalog import get_runtime
from mlp.signature import Batch, Outputs, Signature, Task
from mlp.signature.batch import from_rows
from mlp.signature.rows import RowReader

#: Rows that are predicted one by one, too; more would tell no more and take time.
_LONE_ROWS_MAX = 50
_WARNINGS_MAX = 5


@dataclass(frozen=True, slots=True)
class AcceptanceReport:
    """What the acceptance run found out about a version.

    Attributes:
        environment: This Python, and the packages that the model used.
        trained_with: Versions by distribution name, Python's under ``python``; as far as they are known.
        warnings: What differs or was assumed, in sentences.
        example: The example's rows that were predicted, as JSON has them.
        left_out: Columns of the example that are no inputs of the model.
        load_seconds: Time to load the model once more, its framework being imported.
        batch_row_seconds: Time per row, all rows in one call.
        single_row_seconds: Median time of a call with one row.
        memory_bytes: Largest resident memory of the process; None where the system does not tell.
    """

    signature: Signature
    runtime: str
    environment: Environment
    trained_with: Mapping[str, str]
    warnings: tuple[str, ...]
    example: tuple[Any, ...]
    left_out: tuple[str, ...]
    load_seconds: float
    batch_row_seconds: float
    single_row_seconds: float
    memory_bytes: int | None

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "signature": self.signature.to_json(),
            "runtime": self.runtime,
            "environment": self.environment.to_json(),
            "trained_with": dict(self.trained_with),
            "warnings": list(self.warnings),
            "example": list(self.example),
            "left_out": list(self.left_out),
            "load_seconds": self.load_seconds,
            "batch_row_seconds": self.batch_row_seconds,
            "single_row_seconds": self.single_row_seconds,
            "memory_bytes": self.memory_bytes,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "AcceptanceReport":
        """The report that ``to_json`` wrote."""
        members = dict(document)
        members["signature"] = Signature.from_json(document["signature"])
        members["environment"] = Environment.from_json(document["environment"])
        for name in ("warnings", "example", "left_out"):
            members[name] = tuple(document[name])
        return cls(**members)


def run_trial(path: Path, *, allow_mismatch: bool, threads: int) -> AcceptanceReport:
    """Read, load and predict the version in a folder.

    Raises:
        VersionRefused: Anything that keeps the version from being served; the message says what.
        ModelFailed: Its code failed while predicting.
    """
    folder = read_folder(path)
    modules_before = frozenset(sys.modules)
    in_pickles = modules_named_by_pickles()
    remarks = check_requirements(folder.requirements, allow_mismatch=allow_mismatch)
    remarks += _check_author_versions(folder, allow_mismatch)
    runtime = get_runtime(folder.runtime)
    described = runtime.describe(path)
    remarks += _check_file_versions(folder, described, allow_mismatch)
    inputs = complete_inputs(folder, described)
    remarks += _input_remarks(inputs)
    partial = partial_signature(folder, described, inputs.inputs)
    batch = _example_batch(partial, inputs)
    signature = _completed_signature(folder, runtime, described, partial, batch, threads)
    measured = _predict(runtime, path, signature, batch, threads)
    check_labels(signature, measured.outputs)
    if folder.example is not None and folder.example.expected is not None:
        check_expected(signature, folder.example.expected, measured.outputs)
    return AcceptanceReport(
        signature=signature,
        runtime=folder.runtime,
        environment=used_environment(modules_before, modules_named_by_code(path) | in_pickles),
        trained_with=_trained_with(folder, described),
        warnings=tuple(dict.fromkeys([*remarks, *measured.remarks])),
        example=inputs.rows,
        left_out=inputs.left_out,
        load_seconds=measured.load_seconds,
        batch_row_seconds=measured.batch_row_seconds,
        single_row_seconds=measured.single_row_seconds,
        memory_bytes=_memory_bytes(),
    )


def _check_author_versions(folder: ModelFolder, allow_mismatch: bool) -> list[str]:
    """Compared before anything is loaded: a pickle of another Python may fail in any way."""
    recorded = Environment(folder.trained_with_python, folder.trained_with_packages)
    remarks = check_versions(recorded, has_pickle=folder.has_pickle, allow_mismatch=allow_mismatch)
    if folder.has_pickle and folder.trained_with_python is None:
        here = f"{sys.version_info.major}.{sys.version_info.minor}"
        name = pickles(folder.path)[0].name
        # Not silent, and no alarm: the usual way of a bare file. Later Pythons are held against the one of this trial.
        remarks.append(f"Note: {name} does not say which Python wrote it; it was tried out with {here}.")
    return remarks


def _check_file_versions(folder: ModelFolder, described: Described, allow_mismatch: bool) -> list[str]:
    new = {name: text for name, text in described.trained_with.items() if name not in folder.trained_with_packages}
    return check_versions(Environment(None, new), has_pickle=folder.has_pickle, allow_mismatch=allow_mismatch)


def _trained_with(folder: ModelFolder, described: Described) -> dict[str, str]:
    python = {} if folder.trained_with_python is None else {"python": folder.trained_with_python}
    return {**python, **described.trained_with, **folder.trained_with_packages}


def _input_remarks(inputs: Completed) -> list[str]:
    remarks = []
    if inputs.left_out:
        names = ", ".join(inputs.left_out)
        remarks.append(f"columns of the example that the model does not take were left out: {names}")
    if inputs.is_made_up:
        remarks.append("there is no example, so a made-up row was predicted; example.json makes this a real trial")
    return remarks


def _example_batch(signature: Signature, inputs: Completed) -> Batch:
    try:
        return from_rows(signature, RowReader(signature).read(inputs.rows))
    except SignatureMismatch as error:
        raise SignatureMismatch(f"the example does not fit the signature: {error.message}") from error


def _completed_signature(
    folder: ModelFolder, runtime: Runtime, described: Described, partial: Signature, batch: Batch, threads: int
) -> Signature:
    own = described.signature
    likely = folder.task or (None if own is None else own.task)
    if likely is Task.CLASSIFICATION and partial.classes is not None and own is not None and own.outputs:
        has_probabilities = len(own.outputs) > 1
        return with_positive_class(
            with_classes(partial, partial.classes, has_probabilities=has_probabilities), folder.positive_class
        )
    if likely is Task.TENSORS and partial.outputs:
        return replace(partial, task=Task.TENSORS)
    outputs = _first_answer(runtime, folder.path, partial, batch, threads)
    if likely is Task.REGRESSION and folder.task is None and _is_wide(outputs):
        likely = Task.TENSORS  # several values a row
    return with_positive_class(completed(partial, outputs, task=likely), folder.positive_class)


def _first_answer(runtime: Runtime, path: Path, partial: Signature, batch: Batch, threads: int) -> Outputs:
    """What the model returns, by its own names, whatever that is."""
    model = runtime.load(path, replace(partial, task=Task.TENSORS, outputs=()), threads)
    try:
        return model.predict(batch)
    finally:
        model.close()


def _is_wide(outputs: Outputs) -> bool:
    answer = outputs.get(UNNAMED)
    return answer is not None and answer.ndim == 2 and answer.shape[1] > 1


@dataclass(frozen=True, slots=True)
class _Measured:
    outputs: Outputs
    remarks: list[str]
    load_seconds: float
    batch_row_seconds: float
    single_row_seconds: float


def _predict(runtime: Runtime, path: Path, signature: Signature, batch: Batch, threads: int) -> _Measured:
    start = time.perf_counter()
    model = runtime.load(path, signature, threads)
    load_seconds = time.perf_counter() - start
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.predict(batch)  # the first call pays for imports and caches
            start = time.perf_counter()
            outputs = AnswerReader(signature).read(model.predict(batch), batch.rows)
            batch_seconds = time.perf_counter() - start
            lone, seconds = _one_by_one(model, batch)
    finally:
        model.close()
    remarks = _warning_texts([item.message for item in caught])
    difference = lone_rows_differ(outputs, lone)
    if difference is not None:
        remarks.append(difference)
    return _Measured(outputs, remarks, load_seconds, batch_seconds / batch.rows, sorted(seconds)[len(seconds) // 2])


def _one_by_one(model: LoadedModel, batch: Batch) -> tuple[list[Outputs], list[float]]:
    answers, seconds = [], []
    for row in range(min(batch.rows, _LONE_ROWS_MAX)):
        start = time.perf_counter()
        answers.append(model.predict(batch.slice(row, row + 1)))
        seconds.append(time.perf_counter() - start)
    return answers, seconds


def _warning_texts(messages: Sequence[Warning | str]) -> list[str]:
    texts = dict.fromkeys(f"while predicting, {type(item).__name__}: {item}" for item in messages)
    return list(texts)[:_WARNINGS_MAX]


def _memory_bytes() -> int | None:
    largest: int | None = None
    if sys.platform != "win32":
        import resource

        largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if sys.platform != "darwin":
            largest *= 1024  # getrusage(2): bytes on macOS, KiB elsewhere
    return largest
