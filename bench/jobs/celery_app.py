"""The competitor: a Celery application as a user would write it, with one task that does nothing."""

import os

from celery import Celery

app = Celery("bench", broker=os.environ["BENCH_BROKER_URL"], backend=os.environ["BENCH_RESULT_URL"])


@app.task  # type: ignore[untyped-decorator]  # Celery is typed in part
def empty() -> None:
    """Nothing; its result, None, is kept in Redis all the same."""
