"""Who reaches what: from the host Traefik alone, from outside the inner network nothing of it; no root, no secret."""

import json
from typing import Any

import pytest

from tests.stack.compose import SERVICES, Compose

pytestmark = pytest.mark.timeout(300)
_CONNECT = """
import socket, sys
for target in sys.argv[1:]:
    host, port = target.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), 2).close()
        print("reached", target)
    except OSError as error:
        print("closed", target, type(error).__name__)
"""


def _inspect(compose: Compose, service: str) -> list[dict[str, Any]]:
    names = [each["Name"] for each in compose.states() if each["Service"] == service]
    return list(json.loads(compose.run("docker", "inspect", *names)))


def test_nothing_but_traefik_listens_on_the_host(compose: Compose) -> None:
    for service in SERVICES:
        for container in _inspect(compose, service):
            bindings = container["HostConfig"]["PortBindings"] or {}
            assert (service == "traefik") == bool(bindings), service
            assert {each["HostIp"] for ports in bindings.values() for each in ports} <= {"127.0.0.1"}


def test_from_www_nothing_of_the_inner_network_is_reached(compose: Compose) -> None:
    inner = []
    for service in ("database", "redis", "rabbitmq", "prometheus", "grafana", "worker"):
        networks = _inspect(compose, service)[0]["NetworkSettings"]["Networks"]
        ports = {"database": (5432,), "redis": (6379,), "rabbitmq": (5672, 15672, 15692), "prometheus": (9090,)}
        for port in ports.get(service, (3000, 4791)):
            inner.append(f"{service}:{port}")
            inner += [f"{network['IPAddress']}:{port}" for network in networks.values() if network["IPAddress"]]
    command = ["docker", "run", "--rm", "--network", "mlp_www", "mlp-api:latest", "python", "-c", _CONNECT]

    printed = compose.run(*command, *inner, "api:4789", timeout_seconds=200)

    assert [line for line in printed.splitlines() if line.startswith("reached")] == ["reached api:4789"]


def test_inner_network_does_not_reach_the_world(compose: Compose) -> None:
    printed = compose.run(
        "docker", "run", "--rm", "--network", "mlp_mlpnet", "mlp-api:latest", "python", "-c", _CONNECT, "9.9.9.9:443"
    )
    assert printed.startswith("closed")


def test_own_images_start_without_root_and_without_a_writable_root(compose: Compose) -> None:
    for service in ("api", "worker"):
        for container in _inspect(compose, service):
            assert container["HostConfig"]["ReadonlyRootfs"]
            assert container["HostConfig"]["CapDrop"] == ["ALL"]
            assert "no-new-privileges:true" in container["HostConfig"]["SecurityOpt"]
            assert container["Config"]["User"] == "10001:10001"
        assert compose.inside(service, "id", "-u").strip() == "10001"
        assert "Read-only" in compose.inside(service, "sh", "-c", "touch /opt/mlp/x", check=False)
    for image in ("mlp-api", "mlp-worker"):
        alone = ["docker", "run", "--rm", "--read-only", "--network", "none", f"{image}:latest"]
        assert "mlp " in compose.run(*alone, "mlp", "--version")


def test_images_hold_no_compiler_no_cache_and_no_secret(compose: Compose) -> None:
    look = (
        "command -v gcc cc make git uv; "
        "find /opt/mlp -name '*.pyc' -path '*/mlp/__pycache__/stack*' | head -1; "
        "find $HOME/.cache /var/lib/apt/lists /build -type f 2>/dev/null | head -3; true"
    )
    alone = ("docker", "run", "--rm", "--network", "none", "--user", "0", "mlp-api:latest")
    printed = compose.run(*alone, "sh", "-c", look)
    assert [line for line in printed.splitlines() if not line.endswith(".pyc")] == []
    assert "stack" in printed, "bytecode is compiled"
    history = compose.run("docker", "history", "--no-trunc", "mlp-api:latest")
    for secret in ("GRAFANA_ADMIN_PASS", "DATABASE_PASS", "MLP_API_KEY", "pyamqp://"):
        assert secret not in history


def test_dashboards_ask_for_the_admin(compose: Compose) -> None:
    import urllib3

    for name, status in {"prometheus": 401, "traefik": 401, "rabbitmq": 401}.items():
        path = "/api/whoami" if name == "rabbitmq" else "/"
        headers = {"Host": f"{name}.localhost"}
        answer = urllib3.request("GET", f"http://localhost{path}", headers=headers, timeout=10, retries=False)
        assert answer.status == status, name
        headers |= urllib3.make_headers(basic_auth="admin:grafana")
        answer = urllib3.request("GET", f"http://localhost{path}", headers=headers, timeout=10)
        assert answer.status == 200, name


def test_open_to_the_world_without_a_key_the_api_refuses_to_start(compose: Compose) -> None:
    command = ["docker", "run", "--rm", "--network", "none", "-e", "BIND_ADDRESS=0.0.0.0", "--tmpfs", "/tmp"]
    printed = compose.run(*command, "mlp-api:latest", check=False)
    assert "MLP_API_KEY" in printed
