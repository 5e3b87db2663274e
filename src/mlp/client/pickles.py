"""Reads which classes and functions a pickle refers to, without resolving or running any of them.

Files of joblib hold the bytes of arrays between the opcodes, where pickletools.genops loses its way. So the pickle is
unpickled with the interpreter of the standard library written in Python, every name replaced by an inert stand-in.
"""

import bz2
import gzip
import io
import lzma
import math
import pickle
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, cast

import numpy as np

#: A name that a pickle refers to: module and qualified name within it.
PickledName = tuple[str, str]

#: What reading a damaged file can end in; no code of the pickle runs that could raise anything else.
_DAMAGED = (
    pickle.UnpicklingError, EOFError, OSError, zlib.error, lzma.LZMAError, ValueError, TypeError, AttributeError,
    LookupError, OverflowError, MemoryError, RecursionError, ImportError,
)  # fmt: skip
_SKIP_BYTES = 1 << 20
_ARRAY = ("joblib.numpy_pickle", "NumpyArrayWrapper")
_DTYPE = ("numpy", "dtype")


def names_in_pickle(path: Path) -> frozenset[PickledName]:
    """Every class and function that the pickle or joblib file refers to.

    A file that is damaged, or compressed in a way that the standard library cannot read (lz4), yields the names up
    to there: whether it loads is for the server's acceptance run to say.
    """
    names: set[PickledName] = set()
    with path.open("rb") as raw:
        try:
            _NameReader(_decompressed(raw), names).load()
        except _DAMAGED:
            pass  # the names so far are known, and more is not to be had
    return frozenset(names)


def _decompressed(raw: BinaryIO) -> BinaryIO:
    """The pickle inside the file, by the magic bytes of the compressions that joblib writes."""
    magic = raw.read(6)
    raw.seek(0)
    if magic.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.GzipFile(fileobj=raw))
    if magic.startswith(b"BZh"):
        return cast(BinaryIO, bz2.BZ2File(raw))
    if magic.startswith((b"\xfd7zXZ", b"\x5d\x00")):
        return cast(BinaryIO, lzma.open(raw))
    if magic.startswith(b"x"):
        return io.BytesIO(zlib.decompress(raw.read()))
    return raw


class _Inert:
    """Stands for every class, function and object of the pickle: takes all that is done to it, does nothing."""

    def __new__(cls, *_args: Any, **_options: Any) -> "_Inert":
        return object.__new__(cls)

    def __init__(self, *_args: Any, **_options: Any) -> None:
        pass

    def __call__(self, *_args: Any, **_options: Any) -> "_Inert":
        return _Inert()

    def __setstate__(self, _state: Any) -> None:
        pass

    def __setitem__(self, _key: Any, _value: Any) -> None:
        pass

    def append(self, _item: Any) -> None:
        """As a list would."""

    extend = add = update = append


class _ArrayPlace:
    """Stands for joblib's note that the bytes of an array follow; receives the attributes of that note."""

    shape: tuple[int, ...]
    dtype: "np.dtype[Any]"
    numpy_array_alignment_bytes: int | None = None


_build: Callable[[Any], None] = pickle._Unpickler.dispatch[pickle.BUILD[0]]


class _NameReader(pickle._Unpickler):
    """An unpickler that notes names and steps over the bytes of arrays as joblib lays them down."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)
    stack: list[Any]  # the objects under construction, as the base class keeps them

    def __init__(self, file: BinaryIO, names: set[PickledName]) -> None:
        super().__init__(file)
        self._file = file
        self._names = names

    def find_class(self, module: str, name: str) -> Any:
        self._names.add((module, name))
        if (module, name) == _ARRAY:
            return _ArrayPlace
        # The dtype is needed for the number of bytes to step over; making one runs no foreign code.
        return np.dtype if (module, name) == _DTYPE else _Inert

    def load_build(self) -> None:
        _build(self)
        place = self.stack[-1]
        if isinstance(place, _ArrayPlace):
            self._step_over(place)

    dispatch[pickle.BUILD[0]] = load_build

    def _step_over(self, place: _ArrayPlace) -> None:
        if place.dtype.hasobject:
            _NameReader(self._file, self._names).load()  # an array of objects is a pickle of its own
            return
        if place.numpy_array_alignment_bytes is not None:
            self._file.read(self._file.read(1)[0])
        remaining_bytes = math.prod(place.shape) * place.dtype.itemsize
        while remaining_bytes > 0:
            remaining_bytes -= len(self._file.read(min(remaining_bytes, _SKIP_BYTES))) or remaining_bytes
