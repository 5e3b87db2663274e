"""Submits empty tasks to Celery from a process of its own, as fast as one thread can: `python -m` runs it."""

import sys
import time

from bench.jobs.celery_app import empty


def main() -> None:
    """Connect by a first task, say so, wait for the word, submit, say when it began and ended, and end on word."""
    tasks = int(sys.argv[1])
    empty.apply_async().get(timeout=60)
    print("ready", flush=True)
    if not sys.stdin.readline():
        return
    began_at = time.monotonic()
    # Kept: a result that is let go is unsubscribed from, which would cost Celery another round trip for each.
    results = [empty.apply_async() for _ in range(tasks)]
    print(began_at, time.monotonic(), *(result.id for result in results[:: max(1, tasks // 200)]), flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main()
