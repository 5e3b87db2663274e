"""Prints predictions as they come, chunk by chunk: as a table, CSV, JSON or JSON lines.

All forms but the table name the id of the request and the row in it, which a label may refer to.
"""

import csv
import sys
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from mlp.cli.formats import PredictionFormat
from mlp.cli.labels import written
from mlp.cli.output import Column, Output, compact_json, decimal, number
from mlp.client.results import Answer, Prediction
from mlp.errors import BadInput

#: Up to so many classes each have a column in a table; of more, only the probability of the label is shown.
CLASS_COLUMNS_MAX = 5


class PredictionWriter(Protocol):
    """Prints the answers of one command to standard output."""

    def write(self, answer: Answer) -> None:
        """Prints the predictions of one answer."""

    def end(self) -> None:
        """Prints what stands after the last prediction."""


def make_writer(output_format: PredictionFormat, output: Output) -> PredictionWriter:
    """The writer of a format."""
    writers: dict[PredictionFormat, Callable[[], PredictionWriter]] = {
        PredictionFormat.TABLE: lambda: _TableWriter(output),
        PredictionFormat.CSV: _CSVWriter,
        PredictionFormat.JSON: _JSONWriter,
        PredictionFormat.JSONL: _JSONLinesWriter,
    }
    return writers[output_format]()


def record(answer: Answer, row: int) -> dict[str, Any]:
    """One prediction as an object; members that this kind of model does not answer are left out."""
    prediction = answer.predictions[row]
    answered = {
        "key": prediction.key,
        "label": prediction.label,
        "probabilities": prediction.probabilities,
        "value": prediction.value,
        "outputs": prediction.outputs,
    }
    present = {name: value for name, value in answered.items() if value is not None}
    return {**present, "version": answer.version, "id": answer.id, "row": row}


class _JSONWriter:
    """One list of objects, each on a line of its own."""

    def __init__(self) -> None:
        self._before = "[\n"

    def write(self, answer: Answer) -> None:
        for row in range(len(answer.predictions)):
            sys.stdout.write(self._before + compact_json(record(answer, row)))
            self._before = ",\n"

    def end(self) -> None:
        sys.stdout.write("[]\n" if self._before == "[\n" else "\n]\n")


class _JSONLinesWriter:
    def write(self, answer: Answer) -> None:
        for row in range(len(answer.predictions)):
            sys.stdout.write(compact_json(record(answer, row)) + "\n")

    def end(self) -> None:
        return


class _CSVWriter:
    """The first prediction decides the columns."""

    def __init__(self) -> None:
        self._writer = csv.writer(sys.stdout, lineterminator="\n")
        self._columns: list[str] = []

    def write(self, answer: Answer) -> None:
        for row in range(len(answer.predictions)):
            cells = _cells(record(answer, row))
            if not self._columns:
                self._columns = list(cells)
                self._writer.writerow(self._columns)
            if cells.keys() != set(self._columns):
                raise BadInput(
                    f"version {answer.version} answers with other columns than the versions before it: "
                    "use --output jsonl, or one --version"
                )
            self._writer.writerow([cells[column] for column in self._columns])

    def end(self) -> None:
        return


def _cells(prediction: dict[str, Any]) -> dict[str, str]:
    cells: dict[str, str] = {}
    for name, value in prediction.items():
        if name == "probabilities":
            cells.update({f"probability_{label}": repr(probability) for label, probability in value.items()})
        else:
            cells[name] = compact_json(value) if name == "outputs" else written(value)
    return cells


class _TableWriter:
    def __init__(self, output: Output) -> None:
        self._output = output
        self._rows = 0

    def write(self, answer: Answer) -> None:
        if not answer.predictions:
            return
        first = answer.predictions[0]
        name = number("row") if first.key is None else Column("key")
        rows = [
            [str(self._rows + index) if each.key is None else each.key, *_shown(each, first)]
            for index, each in enumerate(answer.predictions)
        ]
        self._output.table([name, *_columns(first)], rows)
        self._rows += len(answer.predictions)

    def end(self) -> None:
        return


def _class_columns(first: Prediction) -> Sequence[str]:
    """The classes that have a column of their own, decided by the first prediction."""
    probabilities = first.probabilities
    return [] if probabilities is None or len(probabilities) > CLASS_COLUMNS_MAX else list(probabilities)


def _columns(first: Prediction) -> list[Column]:
    if first.label is not None:
        classes = _class_columns(first)
        of_label = [number("probability")] if first.probabilities is not None and not classes else []
        return [Column("label"), *of_label, *(number(f"p({name})") for name in classes)]
    return [number("value")] if first.value is not None else [Column("outputs", is_folded=True)]


def _shown(prediction: Prediction, first: Prediction) -> list[str]:
    if prediction.label is not None:
        label, probabilities = written(prediction.label), prediction.probabilities or {}
        classes = _class_columns(first)
        if classes or first.probabilities is None:
            return [label, *(decimal(probabilities.get(name)) for name in classes)]
        return [label, decimal(probabilities.get(label))]
    return [f"{prediction.value:.6g}"] if prediction.value is not None else [compact_json(prediction.outputs)]
