"""What the metrics promise is counted: unknown categories, label delays, and nothing of a request that was refused."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlp import Label
from tests.models import sign_model
from tests.servers import Serve, until

pytestmark = pytest.mark.slow
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def with_category(folder: Path) -> Path:
    sign_model(folder)
    toml = folder / "mlp.toml"
    toml.write_text(
        toml.read_text() + 'plan = { type = "category", categories = ["free", "pro"], unknown = "count" }\n'
    )
    (folder / "example.json").write_text('{"rows": [{"x": 1.0, "y": 2.0, "plan": "pro"}]}')
    return folder


def test_unknown_categories_are_counted(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    server.client.models.add("sign", with_category(tmp_path / "one"))

    server.client.predict("sign", [[1, 1, "free"], [1, 1, "gold"], [1, 1, "tin"]])

    until(lambda: server.metric(r'mlp_inference_unknown_categories_total\{model="sign"\}') == 2, 10)


def test_label_delays_are_observed_for_first_labels_sent_early_or_late(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    client = server.client
    client.models.add("sign", sign_model(tmp_path / "one"))
    client.feedback("sign", [Label(True, key="early", at=NOON + timedelta(seconds=50))])
    client.predict("sign", [[1, 1], [1, 1]], keys=["early", "late"], at=NOON)
    until(lambda: len(client.inferences("sign")) == 2, 10)

    label = Label(True, key="late", at=NOON + timedelta(seconds=30))
    client.feedback("sign", [label])
    client.feedback("sign", [label])

    until(lambda: server.metric(r'mlp_feedback_label_delay_seconds_count\{model="sign"\}') == 2, 10)
    assert server.metric(r'mlp_feedback_label_delay_seconds_sum\{model="sign"\}') == 80


def test_output_that_does_not_exist_is_refused_before_anything_is_answered(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    server.client.models.add("sign", sign_model(tmp_path / "one"))
    tensors = [{"name": name, "datatype": "FP64", "shape": [1], "data": [1]} for name in ("x", "y")]

    refused = server.ask("/v2/models/sign/infer", {"inputs": tensors, "outputs": [{"name": "nope"}]})
    answered = server.ask("/v2/models/sign/infer", {"inputs": tensors, "outputs": [{"name": "label"}]})

    assert refused.status == 400
    assert json.loads(refused.data) == {"error": "unexpected inference output 'nope' for model 'sign'"}
    assert [output["name"] for output in json.loads(answered.data)["outputs"]] == ["label"]
    assert server.metric(r"mlp_recorder_requests_total") == 1
