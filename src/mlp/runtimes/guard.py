"""What stands between a framework's model and the server: its errors, its threads and its answers are kept in order."""

import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlp.errors import MLPError, ModelNotReady
from mlp.runtimes.answers import AnswerReader
from mlp.runtimes.source import model_failed
from mlp.signature import Batch, Outputs, Signature

#: Frameworks whose warnings at predict time would be printed, or cost time, with every request.
_CHATTY = r"(sklearn|lightgbm|pandas|onnxruntime|joblib|mlp\.runtimes)(\.|$)"


class ThreadLimit:
    """Holds the thread pools of BLAS and OpenMP to a number of threads, in each thread that calls a model.

    OpenMP's limit belongs to the calling thread (OpenMP 5.2, section 2.4, nthreads-var), so setting it once at load
    would not reach the thread that predicts. The first call in a thread costs about 20 µs, later ones nothing.

    Args:
        threads: Threads of one call; libraries loaded after this moment are not reached.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._seen = threading.local()
        try:
            from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]
        except ImportError:
            self._controller: Any = None  # comes with scikit-learn; nothing else here needs it
        else:
            self._controller = ThreadpoolController()

    def hold(self) -> None:
        """Make this thread's calls keep the limit."""
        if self._controller is None or getattr(self._seen, "is_held", False):
            return
        self._controller.limit(limits=self._threads)
        self._seen.is_held = True


class GuardedModel:
    """A loaded model whose code may raise, exit, or return anything: implements ``LoadedModel``.

    Args:
        answer: The framework's call: a batch in, whatever it returns out.
        close: Frees what the model holds.
    """

    def __init__(
        self,
        signature: Signature,
        folder: Path,
        threads: int,
        answer: Callable[[Batch], Any],
        close: Callable[[], None] | None = None,
    ) -> None:
        self._folder = folder
        self._answer = answer
        self._close = close
        self._reader = AnswerReader(signature)
        self._threads = ThreadLimit(threads)
        _quieten()

    def predict(self, batch: Batch) -> Outputs:
        self._threads.hold()
        try:
            answer = self._answer(batch)
        except MLPError:
            raise
        except (Exception, SystemExit) as error:
            raise model_failed(error, self._folder) from error
        return self._reader.read(answer, batch.rows)

    def close(self) -> None:
        if self._close is not None:
            self._close()
        self._answer = _closed


def _closed(_batch: Batch) -> Any:
    raise ModelNotReady("this version has been put away: ask again")


def _quieten() -> None:
    """Drop the frameworks' warnings in this process; the acceptance run has shown them to the model's author.

    ``warnings.catch_warnings`` around each call would be simpler, and is neither thread-safe nor cheap.
    """
    warnings.filterwarnings("ignore", module=_CHATTY)
