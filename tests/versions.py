"""Versions for tests: made up where only the registry looks at them, zip files where somebody unpacks them."""

import hashlib
import io
import uuid
import zipfile
from collections.abc import Mapping
from typing import Any

from mlp.registry.values import NewVersion
from mlp.signature import DType, Field, Signature, Task

SIGNATURE = Signature(
    Task.CLASSIFICATION,
    (Field("age", DType.INT64, minimum=0), Field("plan", DType.CATEGORY, categories=("basic", "plus"))),
    classes=(False, True),
)


def new_version(model: str, **members: Any) -> NewVersion:
    """A version of a model that is ready to be added; every one is another."""
    values: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "model": model,
        "digest": hashlib.sha256(uuid.uuid4().bytes).hexdigest(),
        "size_bytes": 1234,
        "runtime": "sklearn",
        "signature": SIGNATURE,
        "environment": {"python": "3.11.7", "packages": {"scikit-learn": "1.9.1"}},
        "trained_with": {"scikit-learn": "1.9.1"},
        "warnings": ["mind the gap"],
        "metrics": {"auc": 0.81},
        "lineage": {"commit": "abc"},
        "example": [{"age": 7, "plan": "plus"}],
        "reference": None,
    }
    return NewVersion(**values | members)


def zip_bytes(files: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file of these files, the same bytes for the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return buffer.getvalue()
