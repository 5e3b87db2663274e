"""Answers the rows of one chunk: bad rows are set apart, the good ones are asked in batches, all are written in order.

A row on which the model's own code fails is found by halving its batch, and is a bad row like any other.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from mlp.batches.batch import Chunk, ChunkResult, RowError
from mlp.batches.result_writer import RowPlace, make_writer
from mlp.batches.row_parser import ParsedRow, RowParser
from mlp.errors import BadInput, ModelFailed
from mlp.inference.bodies import event_micros
from mlp.inference.questions import Question
from mlp.inference.service import Answer
from mlp.signature import Signature

#: When so many rows fail alone, and none was answered, the model is at fault and not its rows.
_FAILURES_BEFORE_DOUBT = 8
#: A call of the model shall last so long at most, far below its time limit, and so does the wait for a cancelled batch.
_CALL_SECONDS = 5.0
#: How long a row takes is not known before the first call: a model of seconds a row must not run into the limit.
_FIRST_ROWS = 4

#: Asks the model; blocks.
Ask = Callable[[Question], Answer]


class _Answered(NamedTuple):
    prediction: dict[str, Any]
    inference_id: str
    row: int


class ChunkAnswers:
    """The rows of one chunk on their way: parsed when this is made, asked by ask(), written by result().

    Raises:
        BadInput: The columns of the file do not fit the version at all.
    """

    def __init__(self, chunk: Chunk, signature: Signature) -> None:
        self._chunk = chunk
        self._signature = signature
        self._at_micros = event_micros(chunk.options.at)
        self._parser = RowParser(signature, chunk.options, chunk.header)
        self._good: list[tuple[int, ParsedRow]] = []
        self._reasons: dict[int, str] = {}
        self._answered: dict[int, _Answered] = {}
        self._failures = 0
        self._rows_of_next = _FIRST_ROWS
        for index, content in enumerate(chunk.rows):
            self._parse(index, content)

    @property
    def errors(self) -> list[RowError]:
        """The rows that are known to be bad, in the file's order."""
        return [RowError(self._chunk.lines[index], self._reasons[index]) for index in sorted(self._reasons)]

    def ask(self, ask: Ask, *, rows_max: int, before_each: Callable[[int], None]) -> None:
        """Ask the good rows, at most ``rows_max`` at once, and fewer of a slow model.

        Args:
            before_each: Told before each call how many rows are done with; may raise to stop.

        Raises:
            ModelFailed: The model fails whatever it is asked.
            MLPError: As InferenceService.predict.
        """
        start = 0
        while start < len(self._good):
            before_each(start)
            rows = min(rows_max, self._rows_of_next)
            self._ask_some(ask, self._good[start : start + rows])
            start += rows

    def result(self) -> ChunkResult:
        """All rows as the result file has them."""
        chunk = self._chunk
        writer = make_writer(self._signature, chunk.options, chunk.header)
        keys = {index: row.key for index, row in self._good}
        for index, content in enumerate(chunk.rows):
            if index in self._reasons:
                place = RowPlace(chunk.lines[index], self._parser.find_key(content), content)
                writer.error(place, self._reasons[index])
            else:
                writer.answer(RowPlace(chunk.lines[index], keys[index], content), *self._answered[index])
        errors = [(error.line, error.reason) for error in self.errors]
        return ChunkResult(text=writer.text(), rows=len(chunk.rows), errors=errors)

    def _parse(self, index: int, content: list[str] | str | None) -> None:
        if content is None:
            self._reasons[index] = self._chunk.faults.get(index, "it cannot be read")
            return
        try:
            self._good.append((index, self._parser.read(content)))
        except BadInput as error:
            self._reasons[index] = error.message

    def _ask_some(self, ask: Ask, rows: Sequence[tuple[int, ParsedRow]]) -> None:
        try:
            answer = ask(self._question([row for _, row in rows]))
        except ModelFailed as error:
            if len(rows) == 1:
                self._note_failure(rows[0][0], error)
                return
            middle = len(rows) // 2
            self._ask_some(ask, rows[:middle])
            self._ask_some(ask, rows[middle:])
            return
        self._learn(answer)
        predictions = answer.version.writer.predictions(answer.outputs, None)
        for row, ((index, _), prediction) in enumerate(zip(rows, predictions, strict=True)):
            self._answered[index] = _Answered(prediction, answer.id, row)

    def _learn(self, answer: Answer) -> None:
        row_seconds = answer.timing.model_seconds / answer.rows
        self._rows_of_next = max(1, int(_CALL_SECONDS / max(row_seconds, 1e-9)))

    def _note_failure(self, index: int, error: ModelFailed) -> None:
        self._failures += 1
        if not self._answered and (self._failures >= _FAILURES_BEFORE_DOUBT or self._failures == len(self._good)):
            raise error
        self._reasons[index] = error.message

    def _question(self, rows: Sequence[ParsedRow]) -> Question:
        values = [row.values for row in rows]
        keys = None if self._chunk.options.key is None else [row.key for row in rows]
        return Question(
            model=self._chunk.model,
            reference=self._chunk.version,
            read=lambda _loaded: values,
            body=msgspec.json.encode({"rows": [row.json for row in rows]}),
            form="rows",
            keys=keys,
            at_micros=self._at_micros,
            mode="queued",
        )
