from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from mlp.batches.answering import ChunkAnswers
from mlp.batches.batch import Chunk, Options
from mlp.errors import ModelFailed, TooManyRequests
from mlp.inference.answers import AnswerWriter
from mlp.inference.batching import Timing
from mlp.inference.loaded_models import LoadedVersion
from mlp.inference.questions import Question
from mlp.inference.service import Answer
from mlp.signature import DType, Field, Signature, Task

SIGNATURE = Signature(Task.REGRESSION, (Field("x", DType.FLOAT64),), (Field("value", DType.FLOAT64),))


class Model:
    """Answers x, fails on the values that it is told of, and keeps what it was asked."""

    def __init__(self, *, fails_on: frozenset[float] = frozenset(), row_seconds: float = 1e-6) -> None:
        self.questions: list[Question] = []
        self._fails_on = fails_on
        self._row_seconds = row_seconds

    @property
    def sizes(self) -> list[int]:
        """The rows of each question."""
        return [len(msgspec.json.decode(question.body)["rows"]) for question in self.questions]

    def __call__(self, question: Question) -> Answer:
        import numpy as np

        self.questions.append(question)
        rows = cast("list[tuple[float]]", question.read(cast("LoadedVersion", None)))
        if self._fails_on & {row[0] for row in rows}:
            raise ModelFailed("it raised")
        version = SimpleNamespace(writer=AnswerWriter(SIGNATURE))
        outputs = {"value": np.array([row[0] for row in rows])}
        timing = Timing(0.0, self._row_seconds * len(rows))
        answer = Answer(f"a{len(self.questions)}", cast("LoadedVersion", version), outputs, len(rows), timing)
        return answer


def answers_of(*cells: str | None, **options: Any) -> ChunkAnswers:
    chunk = Chunk(
        batch="b1",
        number=0,
        model="churn",
        version="3",
        options=Options(**options),
        header=("x",),
        lines=list(range(2, 2 + len(cells))),
        rows=[None if cell is None else [cell] for cell in cells],
        faults={index: "cut in half" for index, cell in enumerate(cells) if cell is None},
    )
    return ChunkAnswers(chunk, SIGNATURE)


def ask(answers: ChunkAnswers, model: Model, rows_max: int = 100) -> list[list[str]]:
    """The cells of the result."""
    answers.ask(model, rows_max=rows_max, before_each=lambda _done: None)
    return [line.split(",") for line in answers.result().text.splitlines()]


def test_good_rows_are_asked_together_and_bad_ones_not_at_all() -> None:
    model = Model()
    answers = answers_of("1", "no", None, "4")

    known = [(error.line, error.reason) for error in answers.errors]
    rows = ask(answers, model)

    assert known == [(3, "input 'x': expected float64, got \"no\""), (4, "cut in half")]
    assert [row[:2] for row in rows] == [["2", "1.0"], ["3", ""], ["4", ""], ["5", "4.0"]]
    (question,) = model.questions
    assert (question.model, question.reference, question.mode) == ("churn", "3", "queued")
    assert msgspec.json.decode(question.body) == {"rows": [{"x": 1.0}, {"x": 4.0}]}
    assert [row[2:4] for row in rows] == [["a1", "0"], ["", ""], ["", ""], ["a1", "1"]]


def test_questions_are_no_larger_than_a_call_may_be() -> None:
    model = Model()
    done: list[int] = []
    answers = answers_of(*map(str, range(7)))

    answers.ask(model, rows_max=3, before_each=done.append)

    assert model.sizes == [3, 3, 1]
    assert done == [0, 3, 6]


def test_first_question_is_small_and_those_to_a_slow_model_stay_so() -> None:
    quick, slow, slowest = Model(), Model(row_seconds=0.5), Model(row_seconds=20.0)

    for model in (quick, slow, slowest):
        ask(answers_of(*map(str, range(20))), model)

    assert quick.sizes == [4, 16]
    assert slow.sizes == [4, 10, 6]
    assert slowest.sizes == [4, *[1] * 16]


def test_keys_and_time_of_the_rows_go_on_record() -> None:
    model = Model()

    ask(answers_of("1", "2", key="x", at="2026-03-01T12:00:00Z"), model)

    (question,) = model.questions
    assert question.keys == ["1", "2"]
    assert question.at_micros == 1772366400_000_000


def test_row_on_which_the_model_fails_is_found_among_the_others() -> None:
    model = Model(fails_on=frozenset({5.0}))

    rows = ask(answers_of(*map(str, range(8))), model)

    assert [row[1] for row in rows] == ["0.0", "1.0", "2.0", "3.0", "4.0", "", "6.0", "7.0"]
    assert rows[5][-1] == "it raised"
    assert model.sizes == [4, 4, 2, 1, 1, 2]


def test_model_that_fails_on_everything_is_at_fault_itself() -> None:
    model = Model(fails_on=frozenset(map(float, range(1000))))

    with pytest.raises(ModelFailed):
        ask(answers_of(*map(str, range(1000))), model, rows_max=256)

    assert len(model.questions) < 30


def test_model_that_fails_on_the_only_row_is_at_fault_itself() -> None:
    with pytest.raises(ModelFailed):
        ask(answers_of("1", "no"), Model(fails_on=frozenset({1.0})))


def test_model_that_has_no_time_now_is_no_fault_of_a_row() -> None:
    def busy(_question: Question) -> Answer:
        raise TooManyRequests("slow down")

    with pytest.raises(TooManyRequests):
        answers_of("1").ask(busy, rows_max=10, before_each=lambda _done: None)


def test_chunk_of_bad_rows_alone_asks_nothing() -> None:
    model = Model()

    rows = ask(answers_of("no", None), model)

    assert (len(rows), model.questions) == (2, [])
