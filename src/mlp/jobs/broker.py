"""RabbitMQ through Celery: the application, its queues, and the one task, which is told a job's id and nothing else.

Messages only wake workers up: the row is the truth. Settings after "Queue, durability and deployment", section 1, of
the design; what each of them prevents stands beside it. Celery is imported where it is used, since laptops lack it.
"""

from typing import TYPE_CHECKING, Any

from mlp.config import Settings
from mlp.errors import ConfigurationInvalid
from mlp.jobs.broker_queues import DEFAULT, all_broker_queues, taken_queues

if TYPE_CHECKING:
    from celery import Celery

#: The name of the task; its only argument is the id of a job.
RUN_JOB = "mlp.run_job"
#: Longest wait for RabbitMQ's confirmation of one message: a frozen broker must not hold a thread up.
CONFIRM_SECONDS = 2.0
_CONNECT_SECONDS = 4
#: Missed twice, a peer counts as gone: 20 seconds instead of Celery's two minutes.
_HEARTBEAT_SECONDS = 10
#: What is kept of messages at most; the rows are kept anyway, and the sweep sends again what was refused.
_MESSAGES_MAX = 1_000_000
#: Deliveries of one message, from RabbitMQ 4.0 the default: a job that kills its worker ends in the dead queue.
_DELIVERIES_MAX = 20
_DEAD_QUEUE = "mlp.dead"
_DEAD_MILLISECONDS = 7 * 86_400_000
#: How long a worker's processes may take to load their models before Celery gives them up.
_START_SECONDS = 120
#: How long a stopping worker waits for what it runs, before it gives it back.
SOFT_SHUTDOWN_SECONDS = 20.0


def make_celery(settings: Settings) -> "Celery":
    """A Celery application for these settings; nothing is connected yet. For one thread's publishing, or one worker.

    Raises:
        ConfigurationInvalid: No broker is named, or Celery is not installed.
    """
    if settings.broker_url is None or not settings.has_broker:
        raise ConfigurationInvalid("CELERY_BROKER_URL is not set: workers need a broker, pyamqp://user:password@host/")
    try:
        from celery import Celery
    except ModuleNotFoundError as error:
        raise ConfigurationInvalid('Celery is not installed: pip install "mlp-stack[stack]"') from error
    app = Celery("mlp", broker=settings.broker_url.get_secret_value(), set_as_current=False)
    app.conf.update(
        _connection_settings()
        | _task_settings()
        | _worker_settings(settings)
        | {"task_queues": _queues(settings, all_broker_queues(settings)), "task_default_queue": DEFAULT}
    )
    return app


def run_job_body(job_id: str) -> tuple[list[str], dict[str, Any], dict[str, None]]:
    """What the message to a worker holds; see "Message Protocol" in Celery's documentation, version 2."""
    return [job_id], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def run_job_headers(task_id: str) -> dict[str, Any]:
    """The headers of that message; the id is Celery's own, and nothing of ours."""
    return {
        "lang": "py",
        "task": RUN_JOB,
        "id": task_id,
        "root_id": task_id,
        "parent_id": None,
        "group": None,
        "retries": 0,
        "eta": None,
        "expires": None,
        "timelimit": [None, None],
        "argsrepr": "",
        "kwargsrepr": "",
        "ignore_result": True,
    }


def select_queues(app: "Celery", settings: Settings) -> list[str]:
    """Make a worker with this application take the queues that its settings name; returns them."""
    names = taken_queues(settings)
    app.amqp.queues.select(names)
    return names


def _connection_settings() -> dict[str, Any]:
    return {
        "broker_connection_retry": True,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,  # the default gives up after 100 tries, and the worker ends
        "broker_connection_timeout": _CONNECT_SECONDS,
        "broker_channel_error_retry": True,  # the default lets a refused channel end the worker
        "broker_heartbeat": _HEARTBEAT_SECONDS,
        "broker_pool_limit": 2,
        "broker_pool_acquire_timeout": CONFIRM_SECONDS,
        "broker_transport_options": {"confirm_publish": True, "read_timeout": 30, "write_timeout": _CONNECT_SECONDS},
    }


def _task_settings() -> dict[str, Any]:
    return {
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,  # results are rows
        "result_backend": None,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_publish_retry": False,  # the sweep tries again
        "task_create_missing_queues": False,
        "task_default_delivery_mode": 2,
    }


def _worker_settings(settings: Settings) -> dict[str, Any]:
    memory_kib_max = settings.worker_memory_bytes_max // 1024
    return {
        "worker_max_memory_per_child": memory_kib_max or None,
        "worker_pool": "prefork",
        "worker_consumer": "mlp.worker.consumer:Consumer",
        "worker_concurrency": settings.worker_processes,
        # A message is a wake-up, cheap to hold and cheap to give back.
        "worker_prefetch_multiplier": 4,
        "worker_cancel_long_running_tasks_on_connection_loss": False,  # the fence makes second runs harmless
        "worker_enable_remote_control": False,  # no queues of its own, which RabbitMQ 4.3 refuses
        "worker_send_task_events": False,
        "task_send_sent_event": False,
        "worker_proc_alive_timeout": _START_SECONDS,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
    }


def _queues(settings: Settings, names: list[str]) -> list[Any]:
    from kombu import Exchange, Queue

    dead = {"x-queue-type": settings.queue_type, "x-message-ttl": _DEAD_MILLISECONDS}
    # Celery replaces a missing exchange by the default queue's: each queue names its own.
    queues = [
        Queue(
            name,
            Exchange(name, "direct"),
            routing_key=name,
            durable=True,
            queue_arguments=_queue_arguments(settings.queue_type),
        )
        for name in names
    ]
    queues.append(
        Queue(_DEAD_QUEUE, Exchange(_DEAD_QUEUE, "direct"), routing_key=_DEAD_QUEUE, durable=True, queue_arguments=dead)
    )
    return queues


def _queue_arguments(queue_type: str) -> dict[str, Any]:
    shared: dict[str, Any] = {
        "x-queue-type": queue_type,
        "x-overflow": "reject-publish",
        "x-max-length": _MESSAGES_MAX,
        "x-dead-letter-exchange": _DEAD_QUEUE,
        "x-dead-letter-routing-key": _DEAD_QUEUE,
    }
    if queue_type == "quorum":
        shared |= {"x-delivery-limit": _DELIVERIES_MAX, "x-dead-letter-strategy": "at-least-once"}
    return shared
