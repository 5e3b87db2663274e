"""Writes what was answered to the spool, by the rule of each model, and counts what it could not write."""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

from mlp.clock import monotonic
from mlp.errors import RecordingUnavailable
from mlp.inference import metrics
from mlp.inference.spool import SpoolWriter

_log = logging.getLogger(__name__)
_COMPLAIN_EVERY_SECONDS = 10.0


class Recorder:
    """The one recorder of a process, over its spool.

    A prediction is worth more than its record: when the spool cannot be written (disk full, limit reached), a model
    recorded ``on`` goes on answering, and the requests are counted as dropped; a model recorded ``durable``
    refuses, since its answers were promised to be on disk.
    """

    def __init__(self, root: Path, *, segment_bytes: int, bytes_max: int) -> None:
        self.spool = SpoolWriter(root, segment_bytes=segment_bytes, bytes_max=bytes_max)
        metrics.spool_limit_bytes.set(bytes_max)
        self._lock = threading.Lock()
        self._refused: str | None = None
        self._complained_at = -_COMPLAIN_EVERY_SECONDS

    @property
    def trouble(self) -> str | None:
        """Why the last write failed; None while recording works. Readiness shows it."""
        return self._refused

    def write(self, frames: Sequence[bytes], *, is_durable: bool) -> None:
        """Append the frames of one batch with one write.

        Raises:
            RecordingUnavailable: They could not be written and ``is_durable`` was asked for.
        """
        try:
            self.spool.append(frames, is_durable=is_durable)
        except RecordingUnavailable as error:
            self._note_refusal(error, len(frames))
            if is_durable:
                raise
            return
        if self._refused is not None:
            self._refused = None
            _log.warning("recording works again")
        metrics.recorded_requests.inc(len(frames))

    def _note_refusal(self, error: RecordingUnavailable, count: int) -> None:
        self._refused = error.message
        metrics.dropped_requests.labels("spool").inc(count)
        with self._lock:
            if monotonic() - self._complained_at < _COMPLAIN_EVERY_SECONDS:
                return
            self._complained_at = monotonic()
        _log.error("answers are not recorded: %s", error.message)

    def close(self) -> None:
        """Close the spool; what it holds is adopted by the next process."""
        self.spool.close()
