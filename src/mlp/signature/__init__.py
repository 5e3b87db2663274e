"""What a version accepts and returns: fields with types and bounds, rows and tensors checked against them.

Plumbing: knows no model, no database and no HTTP. ``fields`` says, ``rows`` and ``tensors`` read requests,
``batch`` holds what a runtime receives, ``infer`` guesses fields from an example.
"""

from mlp.signature.batch import Batch, Outputs
from mlp.signature.fields import DType, Field, Signature, Task

__all__ = ["Batch", "DType", "Field", "Outputs", "Signature", "Task"]
