"""Results that are too large for a row: kept as files, and read back for whoever asks for the job."""

from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa

from mlp.jobs.job import Ending, Job
from mlp.jobs.tables import job_results
from mlp.storage.database import Database
from mlp.storage.result_files import ResultFiles


class LargeResults:
    """The large results of one database's jobs.

    Args:
        files: Where they are kept; None: in their rows, where the processes share no disk.
    """

    def __init__(self, database: Database, files: ResultFiles | None) -> None:
        self._database = database
        self._files = files

    def keep(self, ending: Ending) -> Ending:
        """The ending with its result on disk, if it is large: to be called before the row names it.

        Raises:
            StorageFull: The disk is full.
        """
        if self._files is None or ending.result is None:
            return ending
        digest = self._files.keep(ending.result)
        return ending if digest is None else replace(ending, digest=digest)

    def read(self, job: Job) -> Job:
        """The job with its result, wherever it is kept.

        Raises:
            ArtefactCorrupt: Its file is gone or damaged.
        """
        if job.result_digest is None or self._files is None:
            return job
        return replace(job, result=self._files.read(job.result_digest))

    def delete_old(self) -> int:
        """How many files were deleted whose jobs are gone."""
        if self._files is None:
            return 0
        with self._database.reading() as connection:
            query = sa.select(job_results.c.digest).where(job_results.c.digest.is_not(None))
            named = set(connection.execute(query).scalars())
        return self._files.delete_unnamed(named)


def in_rows(endings: Sequence[Ending]) -> list[bytes | None]:
    """What of the results goes into rows: nothing of those that are files."""
    return [ending.result if ending.digest is None else b"" for ending in endings]
