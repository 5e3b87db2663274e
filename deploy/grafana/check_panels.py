"""Runs every query of the four dashboards on a Prometheus and a PostgreSQL: ``python -m deploy.grafana.check_panels``.

Needs no Grafana; expands its variables and macros as it does. The exit code is 1 if a query fails or gives nothing
where something is expected. ``--results FILE`` keeps the answers for ``deploy/grafana/draw.py``.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

if __package__ in (None, ""):  # called by its path: let the imports below find the repository's root
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from deploy.grafana.build import FOLDER
from deploy.grafana.builder import Need
from deploy.grafana.checking.macros import Span, duration_seconds
from deploy.grafana.checking.postgres import PostgresServer
from deploy.grafana.checking.prometheus import PrometheusServer
from deploy.grafana.checking.run import Asked, Sources, Verdict, check_dashboard
from deploy.grafana.definitions import DASHBOARDS
from mlp.clock import now

_TITLE_COLUMNS = 46


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    options = _parser().parse_args(arguments)
    until = now()
    span = Span(_since(options.since, until), until, scrape_seconds=options.scrape_seconds)
    headers = dict(header.split(":", 1) for header in options.header)
    with ExitStack() as stack:
        postgres = None if options.database is None else stack.enter_context(closing(PostgresServer(options.database)))
        prometheus = None if options.prometheus is None else PrometheusServer(options.prometheus, headers)
        without = [Need(name) for name in options.without.split(",") if name]
        sources = Sources(prometheus, postgres, span, without)
        uids = [each.uid for each in DASHBOARDS] if options.dashboards is None else options.dashboards.split(",")
        chosen = [each for each in DASHBOARDS if each.uid in uids]
        asked = [one for dashboard in chosen for one in check_dashboard(dashboard, FOLDER, sources)]
    if options.results is not None:
        _write_results(options.results, span, asked)
    # Beside the answers where they go to the standard output.
    stream = sys.stderr if options.results == "-" else sys.stdout
    stream.write("".join(f"{line}\n" for line in table(asked)))
    return 1 if any(one.verdict.is_failure for one in asked) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="check_panels.py", description=__doc__)
    parser.add_argument("--prometheus", metavar="URL", help="with user:password@ for basic authentication")
    parser.add_argument("--database", metavar="URL", help="postgresql://mlp_reader:…@host/name")
    parser.add_argument("--since", default="1h", help="a stretch up to now such as 15m, or a moment with its zone")
    parser.add_argument("--dashboards", metavar="UID,UID", help="these alone")
    parser.add_argument(
        "--without", default="", help=f"what does not run, of {','.join(Need)}: its panels are left out"
    )
    parser.add_argument("--scrape-seconds", type=float, default=10.0, help="as in prometheus.yml")
    parser.add_argument(
        "--header", action="append", default=[], help="for Prometheus, such as Host:prometheus.localhost"
    )
    parser.add_argument("--results", metavar="FILE", help="write the answers as JSON; - is the standard output")
    return parser


def _since(text: str, until: datetime) -> datetime:
    try:
        return until - timedelta(seconds=duration_seconds(text))
    except ValueError:
        moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise SystemExit(f"{text!r} names no zone: write 2026-03-01T12:00Z")
    return moment


def _write_results(target: str, span: Span, asked: Sequence[Asked]) -> None:
    document = {
        "since": span.since.isoformat(),
        "until": span.until.isoformat(),
        "queries": [asdict(one) for one in asked],
    }
    text = json.dumps(document, ensure_ascii=False) + "\n"
    if target == "-":
        sys.stdout.write(text)
    else:
        Path(target).write_text(text, encoding="utf-8")


def table(asked: Sequence[Asked]) -> Iterator[str]:
    """The lines of a table: each query with its verdict, then how many there are of each."""
    yield f"{'dashboard':<20}{'panel':<{_TITLE_COLUMNS}}{'source':<12}{'points':>8}{'ms':>8}  verdict"
    for one in asked:
        title = f"{one.title} {one.query}".strip()[: _TITLE_COLUMNS - 1]
        note = one.answer.error or one.reason
        yield (
            f"{one.dashboard:<20}{title:<{_TITLE_COLUMNS}}{one.source:<12}{one.answer.size:>8}"
            f"{one.answer.seconds * 1000:>8.0f}  {one.verdict}{f': {note}' if note else ''}"
        )
    counts = Counter(one.verdict for one in asked)
    yield f"{len(asked)} queries: {', '.join(f'{counts[verdict]} {verdict}' for verdict in Verdict)}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
