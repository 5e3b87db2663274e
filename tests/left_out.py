"""Pytest plug-in: leaves out the tests that this machine cannot run, and says so in one line at the end.

With ``MLP_TEST_REQUIRE_ALL=1`` (continuous integration) anything left out or skipped is a failure; a skip may stay if
its reason begins with "only on", such as "only on Windows".
"""

import os

import pytest

from tests.postgres_guard import find_programs
from tests.server_guard import find_prometheus, find_rabbitmq, find_redis

#: Marker of the tests that need a server: whether it is here, its name, and Debian's package of it.
_SERVERS = {
    "postgres": (find_programs, "PostgreSQL", "postgresql"),
    "prometheus": (find_prometheus, "Prometheus", "prometheus"),
    "rabbitmq": (find_rabbitmq, "RabbitMQ", "rabbitmq-server"),
    "redis": (find_redis, "Redis", "redis-server"),
}
_LEFT_OUT = pytest.StashKey[dict[str, int]]()
_SKIPPED = pytest.StashKey[list[str]]()
_SKIPS_ALLOWED = "only on "


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_LEFT_OUT] = {}
    config.stash[_SKIPPED] = []
    config.pluginmanager.register(_SkipCount(config), "mlp-skip-count")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for marker in [marker for marker, (find, _name, _package) in _SERVERS.items() if find() is None]:
        left_out = [item for item in items if item.get_closest_marker(marker)]
        if left_out:
            items[:] = [item for item in items if not item.get_closest_marker(marker)]
            config.stash[_LEFT_OUT][marker] = len(left_out)
            config.hook.pytest_deselected(items=left_out)


class _SkipCount:
    """Remembers why tests were skipped, for the end of the run."""

    def __init__(self, config: pytest.Config) -> None:
        self._reasons = config.stash[_SKIPPED]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self._add(report.nodeid, report.longrepr)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._add(report.nodeid, report.longrepr)

    def _add(self, node_id: str, outcome: object) -> None:
        reason = outcome[2] if isinstance(outcome, tuple) else str(outcome)
        if not reason.removeprefix("Skipped: ").startswith(_SKIPS_ALLOWED):
            self._reasons.append(f"{node_id}: {reason}")


def _is_incomplete(config: pytest.Config) -> bool:
    return bool(config.stash[_LEFT_OUT] or config.stash[_SKIPPED])


def _must_be_complete() -> bool:
    return os.environ.get("MLP_TEST_REQUIRE_ALL", "") not in ("", "0")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if _must_be_complete() and _is_incomplete(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    left_out = config.stash[_LEFT_OUT]
    for marker, count in left_out.items():
        _find, name, package = _SERVERS[marker]
        tests = "1 test that needs" if count == 1 else f"{count} tests that need"
        terminalreporter.write_line(f"left out: {tests} {name} (apt-get install {package})", yellow=True)
    if _must_be_complete() and _is_incomplete(config):
        missing = sum(left_out.values()) + len(config.stash[_SKIPPED])
        terminalreporter.write_line(f"failed: MLP_TEST_REQUIRE_ALL is set, and {missing} tests did not run", red=True)
