"""Celery's consumer without the step for tasks with a time to start.

With quorum queues that step declares 28 queues and as many exchanges at every connection (Celery 5.7, "Native delayed
delivery"). Jobs that wait for their time wait in the database.
"""

from typing import Any, ClassVar

from celery.worker import consumer

_LEFT_OUT = "celery.worker.consumer.delayed_delivery:DelayedDelivery"


class Consumer(consumer.Consumer):  # type: ignore[misc]  # Celery is typed in part
    """As Celery's, but for one step."""

    class Blueprint(consumer.Consumer.Blueprint):  # type: ignore[misc]
        """The steps in Celery's order."""

        default_steps: ClassVar[Any] = [step for step in consumer.Consumer.Blueprint.default_steps if step != _LEFT_OUT]
