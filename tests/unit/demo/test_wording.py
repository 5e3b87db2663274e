"""How numbers are written."""

from datetime import UTC, date, datetime

import pytest

from mlp.demo import wording


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (wording.count(85_960), "85,960"),
        (wording.percent(0.9684), "96.8 %"),
        (wording.percent(None), "-"),
        (wording.score(0.70512), "0.705"),
        (wording.score(None), "-"),
        (wording.interval((0.697, 0.7131)), "0.697 to 0.713"),
        (wording.interval((None, 0.7)), "-"),
        (wording.interval(None), "-"),
        (wording.milliseconds(0.00312), "3.1 ms"),
        (wording.milliseconds(1.2), "1,200 ms"),
        (wording.duration(2.34), "2.3 s"),
        (wording.duration(71.2), "71 s"),
        (wording.duration(245.0), "4 min 5 s"),
        (wording.day(date(2013, 3, 1)), "1 March 2013"),
        (wording.new_york_time(datetime(2013, 3, 10, 7, 30, tzinfo=UTC)), "10 March 03:30"),
        (wording.during(datetime(2013, 3, 1, tzinfo=UTC), "month"), "in March"),
        (wording.during(datetime(2013, 3, 4, tzinfo=UTC), "day"), "on 4 March"),
        (wording.listed(["a"]), "a"),
        (wording.listed(["a", "b", "c"]), "a, b and c"),
        (wording.listed([]), "none"),
    ],
)
def test_wording_of(written: str, text: str) -> None:
    assert written == text
