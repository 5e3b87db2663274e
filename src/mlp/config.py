"""All settings, read once: one tree, ``MLP_…`` variables plus the names that the stack's ``.env`` already has.

Each field says its unit, its bounds and what its default was chosen for. Nothing else reads the environment.
"""

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

RecordMode = Literal["on", "durable", "off"]


class Settings(BaseSettings):
    """What one process of MLP is told; immutable once read."""

    model_config = SettingsConfigDict(
        env_prefix="MLP_", env_file=None, extra="ignore", frozen=True, populate_by_name=True
    )

    # Where things are kept
    folder: Path = Field(Path("mlp-data"), description="The data folder of laptop mode: database, artefacts, spool.")
    database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("MLP_DATABASE_URL", "DATABASE_URL"),
        description="postgresql://user:password@host/name, or empty for an SQLite file in the folder.",
    )
    database_timeout_seconds: float = Field(5.0, gt=0, le=600, description="Longest wait for a lock or a connection.")
    database_connections_max: int = Field(10, ge=1, le=200, description="Connections a process may hold to PostgreSQL.")
    retention_days: int = Field(90, ge=1, le=3650, description="Days that recorded inferences and feedback are kept.")

    # The HTTP door
    host: str = Field("127.0.0.1", description="Address to listen on; loopback unless said.")
    port: int = Field(4789, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    processes: int = Field(1, ge=1, le=64, description="API processes on one port.")
    url: str | None = Field(None, description="A server for the command line and the client to talk to.")
    bind_address: str | None = Field(
        None,
        validation_alias=AliasChoices("MLP_BIND_ADDRESS", "BIND_ADDRESS"),
        description="Address at which a proxy in front publishes this server, which decides instead of the host "
        "whether other machines reach it; in the stack BIND_ADDRESS.",
    )
    api_key: SecretStr | None = Field(None, description="If set, every route but health and metrics asks for it.")
    body_bytes_max: int = Field(64 * 2**20, ge=1024, description="Largest body of a prediction; 64 MiB as Triton.")
    upload_bytes_max: int = Field(4 * 2**30, ge=1024, description="Largest uploaded version, bytes.")
    batch_file_bytes_max: int = Field(10 * 2**30, ge=1024, description="Largest batch file, bytes.")
    feedback_labels_max: int = Field(10_000, ge=1, description="Labels in one request.")
    shutdown_seconds: float = Field(10.0, gt=0, le=600, description="Time for requests under way when stopping.")
    drain_seconds: float = Field(
        0.0, ge=0, le=600, description="Time that a stopping server goes on answering, until a proxy has noticed."
    )

    # Inference
    batch_rows_max: int = Field(256, ge=1, le=65536, description="Rows gathered into one call of a model.")
    queue_rows_max: int = Field(8192, ge=1, description="Rows waiting per version before 429 is answered.")
    batch_file_chunk_rows: int = Field(
        1000, ge=1, le=100_000, description="Rows of a batch file that one job predicts."
    )
    predict_timeout_seconds: float = Field(30.0, gt=0, le=3600, description="Longest wait for a prediction.")
    loaded_versions_max: int = Field(
        32, ge=1, description="Versions without alias kept in memory, least used first out."
    )
    alias_refresh_seconds: float = Field(1.0, gt=0, le=10, description="How often aliases are read again; under 2 s.")
    model_threads: int = Field(
        1,
        ge=0,
        le=256,
        description="Threads of one model call: 1, since small batches lose more by handing over than they gain; "
        "0: cores divided by processes.",
    )

    # Recording
    record: RecordMode = Field("on", description="on: spool before the answer; durable: also fsync; off.")
    spool_bytes_max: int = Field(2 * 2**30, ge=2**20, description="Disk that the spool may take, bytes.")
    spool_segment_bytes: int = Field(8 * 2**20, ge=4096, description="Size at which a spool segment is closed.")
    drain_interval_seconds: float = Field(0.2, gt=0, le=60, description="Pause between moves from spool to database.")

    # Registration
    acceptance_seconds: float = Field(120.0, gt=0, le=3600, description="Time limit of the acceptance run.")
    acceptance_memory_bytes: int = Field(0, ge=0, description="Memory limit of the acceptance run; 0: none.")
    unpacked_bytes_max: int = Field(16 * 2**30, ge=1024, description="Largest unpacked version, bytes.")

    # Jobs
    job_workers: int = Field(2, ge=0, le=256, description="Threads that run queued jobs in laptop mode.")
    job_lease_seconds: float = Field(15.0, gt=0, le=3600, description="Time after which a silent worker loses its job.")
    job_attempts_max: int = Field(3, ge=1, le=100, description="Attempts before a job is failed for good.")
    job_seconds_max: float = Field(3600.0, gt=0, le=604_800, description="Time limit of one attempt at a job.")
    job_result_inline_bytes_max: int = Field(
        2**20, ge=0, description="Larger results of jobs are kept as files beside the artefacts, bytes."
    )
    job_poll_seconds: float = Field(1.0, gt=0, le=60, description="How often idle workers look for jobs unasked.")
    job_retention_days: int = Field(7, ge=1, le=3650, description="Days that finished jobs and results are kept.")
    jobs_queued_max: int = Field(1_000_000, ge=1, description="Queued jobs before 429 is answered.")
    jobs_bulk_max: int = Field(10_000, ge=1, le=100_000, description="Jobs that one request may submit.")
    webhook_secret: SecretStr | None = Field(
        None,
        description="Signs the calls at a job's end, ``whsec_`` and 24 bytes or more in Base64; several, separated by "
        "spaces, all sign; empty: jobs with a webhook are refused.",
    )
    webhook_private_addresses: bool = Field(
        False, description="Let webhooks call private addresses, such as those of this machine and its network."
    )
    crash_folder: Path | None = Field(
        None, description="For fault tests only: a process dies at the point whose file it finds in this folder."
    )

    # The stack: other processes, and the programs beside them
    broker_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("MLP_BROKER_URL", "CELERY_BROKER_URL"),
        description="pyamqp://user:password@host/ of RabbitMQ: jobs go to Celery workers; empty: threads of this "
        "process run them.",
    )
    redis_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("MLP_REDIS_URL", "CELERY_BACKEND_URL"),
        description="redis://host/ of the bell between processes; empty: they look into the database every second.",
    )
    queues: str = Field("", description="Further queues besides high, default and low, separated by commas.")
    worker_queues: str = Field(
        "",
        validation_alias=AliasChoices("MLP_WORKER_QUEUES", "CELERY_QUEUE"),
        description="Queues that a worker takes, such as mlp.high,mlp.default; empty: all that settings name.",
    )
    worker_processes: int = Field(2, ge=1, le=256, description="Processes of one worker, each with its own models.")
    worker_memory_bytes_max: int = Field(
        0, ge=0, description="Memory at which a worker's process is replaced, between two jobs; 0: no limit."
    )
    worker_port: int = Field(4791, ge=0, le=65535, description="Port of a worker's own health and metrics.")
    queue_type: Literal["quorum", "classic"] = Field(
        "quorum", description="Kind of RabbitMQ's queues; classic for RabbitMQ before 3.10."
    )
    artefacts_url: str | None = Field(
        None, description="A server to fetch versions from that this machine's artefacts lack, by their SHA-256."
    )
    prometheus_url: str | None = Field(None, description="Prometheus, for mlp doctor.")
    alertmanager_url: str | None = Field(None, description="Alertmanager, for mlp alerts test.")
    grafana_url: str | None = Field(None, description="Grafana, for mlp doctor.")
    traefik_url: str | None = Field(None, description="Traefik's ping address, for mlp doctor.")

    # Monitoring
    label_horizon_seconds: float = Field(
        86_400.0,
        ge=0,
        description="Age at which a prediction's label counts as complete, unless the model says.",
    )

    # Logs
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe line logged.")
    log_format: Literal["auto", "json", "text"] = Field("auto", description="auto: text on a terminal, else JSON.")

    @property
    def has_broker(self) -> bool:
        """Whether jobs are done by workers on a broker; else threads of the server do them."""
        return self.broker_url is not None and self.broker_url.get_secret_value() != ""

    @property
    def has_bell(self) -> bool:
        """Whether Redis carries notices between processes."""
        return self.redis_url is not None and self.redis_url.get_secret_value() != ""
