from datetime import UTC, datetime

import pytest

from mlp.cli.model_tables import (
    aliases_text,
    print_history,
    print_model,
    print_models,
    print_signature,
    print_version,
    traffic_text,
)
from mlp.cli.output import Output
from mlp.client.results import (
    AliasMove,
    Canary,
    Environment,
    Field,
    Model,
    ModelSettings,
    Signature,
    Traffic,
    Version,
)

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SIGNATURE = Signature(
    "classification",
    (
        Field("age", "int64", minimum=18, maximum=120),
        Field("plan", "category", categories=tuple("abcdefgh"), unknown="count", nullable=True),
        Field("image", "float32", shape=(-1, 3)),
    ),
    (Field("label", "bool"),),
    classes=(False, True),
    positive_class=True,
)
VERSION = Version(
    model="churn",
    version="2",
    runtime="sklearn",
    task="classification",
    digest="d" * 64,
    size_bytes=41_000,
    signature=SIGNATURE,
    environment=Environment("3.11.7", {"scikit-learn": "1.9.1"}),
    metrics={"auc": 0.7},
    lineage={},
    example=[],
    created_at=AT,
    aliases=("champion",),
    has_reference=False,
)
MODEL = Model(
    name="churn",
    created_at=AT,
    aliases={"champion": "2", "challenger": "3"},
    versions_count=3,
    latest_version="3",
    traffic=Traffic(Canary("challenger", 10.0), "next"),
    settings=ModelSettings(86_400.0, "on"),
)
OUTPUT = Output(is_json=False)


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    return lines


def test_models_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    print_models(OUTPUT, [MODEL])

    header, first = lines_of(capsys)[:2]
    assert header.split()[:3] == ["MODEL", "CHAMPION", "VERSIONS"]
    assert first.split()[:3] == ["churn", "2", "3"]


def test_model_tells_aliases_and_traffic(capsys: pytest.CaptureFixture[str]) -> None:
    print_model(OUTPUT, MODEL, [VERSION])

    lines = lines_of(capsys)
    assert "aliases        challenger=3, champion=2" in lines
    assert "traffic        champion 90%, challenger 10%, shadow next" in lines
    assert "label horizon  1 d" in lines
    assert lines[-1].split()[:4] == ["2", "sklearn", "classification", "champion"]


def test_version_tells_all_about_itself(capsys: pytest.CaptureFixture[str]) -> None:
    print_version(OUTPUT, VERSION)

    text = "\n".join(lines_of(capsys))
    for expected in ("Python 3.11.7, scikit-learn 1.9.1", "auc=0.7", "41.0 kB", "no: drift is not measured"):
        assert expected in text


def test_signature_tells_types_and_what_is_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    print_signature(OUTPUT, SIGNATURE)

    text = " ".join(" ".join(lines_of(capsys)).split())
    assert "age int64 no at least 18, at most 120" in text
    assert "plan category yes a, b, c, d, e, f and 2 more; others are counted" in text
    assert "image float32[*, 3] no" in text
    assert "classes false, true" in text
    assert "positive class true" in text
    assert "other columns refused" in text


def test_history_is_one_line_for_each_move(capsys: pytest.CaptureFixture[str]) -> None:
    print_history(OUTPUT, [AliasMove("champion", None, "1", AT, "first", "set")])

    assert lines_of(capsys)[1].split() == ["2026-03-01", "12:00:00Z", "champion", "-", "1", "set", "first"]


def test_traffic_and_aliases_of_a_plain_model_are_a_dash() -> None:
    assert traffic_text(Traffic()) == "-"
    assert aliases_text(MODEL, besides="champion") == "challenger=3"
