"""What a sender of a batch file may choose, and the states of a batch; imported by the command line, so quickly."""

from enum import StrEnum


class BatchFormat(StrEnum):
    """How the rows stand in the file. A CSV is answered by a CSV, all else by JSON lines."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


class Policy(StrEnum):
    """What a bad row does: it is reported in its place, or it ends the batch."""

    COLLECT = "collect"
    FAIL_FAST = "fail_fast"


class Columns(StrEnum):
    """What a row of the result holds: the prediction, or the row of the file before it."""

    PREDICTION = "prediction"
    ALL = "all"


class BatchState(StrEnum):
    """Where a batch is. Chunks run while the file is still being received."""

    RECEIVING = "receiving"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether no other state may follow."""
        return self not in (BatchState.RECEIVING, BatchState.RUNNING)
