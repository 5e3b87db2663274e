"""The contract between MLP and a framework: a runtime loads a folder, a loaded model turns a batch into arrays.

An outside package implements it and names its class under the entry point group ``mlp.runtimes``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mlp.signature import Batch, Field, Outputs, Signature


@dataclass(frozen=True, slots=True)
class Described:
    """What a model file says of itself, to complete what its author left out of mlp.toml.

    Attributes:
        signature: Inputs, outputs, task and classes as far as the model knows them; None where it knows nothing.
        trained_with: Package versions that the file itself names, by distribution name.
        input_names: Names of the inputs in the model's order, where it knows these but not all their types.
        input_count: Number of inputs, where the model knows no more than that.
        categories: Inputs whose categories the model knows, by name.
    """

    signature: Signature | None
    trained_with: dict[str, str]
    input_names: tuple[str, ...] | None = None
    input_count: int | None = None
    categories: Mapping[str, Field] = field(default_factory=dict)


class LoadedModel(Protocol):
    """One version in memory.

    Calls come from one thread at a time per version, but not always the same thread.
    """

    def predict(self, batch: Batch) -> Outputs:
        """Answers for all rows of the batch.

        Args:
            batch: Columns in exactly the signature's types; must not be written into.

        Returns:
            Arrays whose first dimension is ``batch.rows``: ``label`` and, where the model has them,
            ``probabilities`` float64 [rows, classes] for a classification; ``value`` float64 [rows] for a
            regression; the outputs by name for tensors.

        Raises:
            mlp.errors.ModelFailed: The model's own code raised; the message names its type and text.
        """

    def close(self) -> None:
        """Free what the model holds; called once, after its last call has returned."""


class Runtime(Protocol):
    """Loads the versions of one framework. Stateless; made once per process."""

    #: The name in mlp.toml, such as ``sklearn``.
    name: str

    def describe(self, folder: Path) -> Described:
        """What the model in the folder says of itself. Loads the model; called in the acceptance run only.

        Raises:
            mlp.errors.VersionRefused: The folder lacks its file, or the file cannot be read.
        """

    def load(self, folder: Path, signature: Signature, threads: int) -> LoadedModel:
        """The model in the folder, ready to predict.

        Args:
            folder: Unpacked, checksum verified, read-only.
            signature: What the batches will look like.
            threads: Threads that one call may use.

        Raises:
            mlp.errors.MissingExtra: The framework is not installed; the message names the extra.
            mlp.errors.VersionRefused: The model does not load; the message says why.
        """
