"""More and fewer replicas while requests flow: none fails, and Prometheus sees each."""

import pytest

from tests.servers import until
from tests.stack.compose import Compose
from tests.stack.test_03_monitoring import targets
from tests.stack.traffic import Traffic, ask

pytestmark = pytest.mark.timeout(300)


def test_scaling_up_and_down_fails_no_request(compose: Compose) -> None:
    with Traffic() as traffic:
        compose.up("--no-recreate", "--scale", "worker=3", "--scale", "api=2")
        until(lambda: targets().get("api") == ["up"] * 2 and targets().get("worker") == ["up"] * 3, 60)
        compose.up("--no-recreate", "--scale", "worker=1", "--scale", "api=1")
    print(f"\n{traffic.predictions.sent} predictions and {traffic.jobs.sent} jobs while scaling")
    assert traffic.predictions.failed == {}
    assert traffic.jobs.failed == {}
    compose.wait_jobs_succeeded(traffic.jobs.ids, 60)
    assert ask("GET", "/v1/models/sign").status == 200
