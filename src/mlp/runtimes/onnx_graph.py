"""Reads the class labels out of an ONNX file, which ONNX Runtime does not tell and no further package is needed for.

An ONNX file is a protobuf message (ModelProto of onnx.proto, IR version 10; wire format: protobuf.dev, "Encoding").
"""

from collections.abc import Iterator
from pathlib import Path

# Field numbers in onnx.proto: ModelProto.graph, GraphProto.node, NodeProto.attribute, and those of AttributeProto.
_GRAPH, _NODE, _ATTRIBUTE = 7, 1, 5
_NAME, _INTS, _STRINGS = 1, 8, 9
#: What the classifiers of ai.onnx.ml call their labels (operators LinearClassifier, SVMClassifier,
#: TreeEnsembleClassifier and ZipMap, version 3 of that domain).
_LABELS = frozenset({b"classlabels_ints", b"classlabels_int64s", b"classlabels_strings"})

Labels = tuple[int | str, ...]


def class_labels(path: Path) -> Labels | None:
    """The labels of the last classifier in the graph, in the order of its probabilities; None where there is none."""
    labels: Labels | None = None
    try:
        for graph in _messages(memoryview(path.read_bytes()), _GRAPH):
            for node in _messages(graph, _NODE):
                for attribute in _messages(node, _ATTRIBUTE):
                    found = _labels_of(attribute)
                    labels = found if found else labels
    except (IndexError, ValueError):
        return None  # not the file that was expected: ONNX Runtime has read it, so only the labels are unknown
    return labels


def _labels_of(attribute: memoryview) -> Labels | None:
    is_labels = False
    labels: list[int | str] = []
    for number, value in _fields(attribute):
        if number == _NAME and not isinstance(value, int):
            is_labels = bytes(value) in _LABELS
        elif number == _INTS and isinstance(value, int):
            labels.append(value - (1 << 64) if value >> 63 else value)
        elif number == _INTS and not isinstance(value, int):
            labels.extend(_packed(value))
        elif number == _STRINGS and not isinstance(value, int):
            labels.append(bytes(value).decode())
    return tuple(labels) if is_labels else None


def _messages(message: memoryview, wanted: int) -> Iterator[memoryview]:
    for number, value in _fields(message):
        if number == wanted and not isinstance(value, int):
            yield value


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field: an int for a varint, the bytes for everything else."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            value, position = _varint(message, position)
            yield number, value
            continue
        if wire_type == 2:
            size, position = _varint(message, position)
        elif wire_type in (1, 5):
            size = 8 if wire_type == 1 else 4
        else:
            raise ValueError(f"wire type {wire_type}")
        yield number, message[position : position + size]
        position += size


def _packed(values: memoryview) -> Iterator[int]:
    position = 0
    while position < len(values):
        value, position = _varint(values, position)
        yield value - (1 << 64) if value >> 63 else value


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
