"""Frozen histograms of a reference: bins that never move, so that later counts can be added up and compared.

Nothing here knows what drift is; ``drift.py`` compares the counts that these bins give.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlp.errors import BadInput

NumericColumn = NDArray[np.float64]
"""float64 [rows]; NaN is a missing value; a datetime is seconds since 1970-01-01T00:00Z."""
CategoricalColumn = Sequence[str | None]
"""One text a row; None is a missing value; a bool is "true" or "false"."""
Column = NumericColumn | CategoricalColumn
Counts = NDArray[np.int64]
"""int64 [bins], in the order that the bins' class documents. Counts of batches add up to the counts of a window."""

# Ten quantile bins are the custom for the population stability index: Siddiqi (2006), Credit Risk Scorecards.
INTERIOR_BINS_MAX = 10
# Beyond 50 categories a distance mostly measures noise; the rarer ones share the "other" bin.
CATEGORIES_MAX = 50
# With 24 chunks the longest block of drift.py has four; 60 chunks judged no better in the measurements noted there.
CHUNKS_MAX = 24
CHUNK_ROWS_MIN = 50
# Stretches shorter than a chunk, for windows shorter than a chunk; windows below 200 rows are never flagged.
STRETCHES = 24
STRETCH_ROWS_MIN = 200

_DAY_SECONDS = 86_400.0
_GOLDEN_RATIO = (5**0.5 - 1) / 2
_FINITE_MAX = 1e300
_FORMAT = 1


@dataclass(frozen=True)
class NumericBins:
    """Bins of a number, frozen at the quantiles of the reference.

    The counts are, in this order: below the smallest edge, each interval (edge, next edge], above the largest edge,
    missing. The edges lie midway between values of the reference, so that a value which was rounded to float32 on one
    side only still falls in its bin. Infinities, and numbers beyond 1e300 either way, count as below or above.

    Attributes:
        edges: Increasing; none if the reference held no finite value, which leaves the bins "any value" and missing.
        is_time_of_day: The column holds datetimes and is compared by the seconds since midnight UTC. Dates themselves
            are new in every window, so comparing them would flag every window.
    """

    edges: tuple[float, ...]
    is_time_of_day: bool = False
    # NumPy sorts NaN behind infinity, so that the last insertion point is the missing bin.
    _search_edges: NDArray[np.float64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_search_edges", np.array([*self.edges, np.inf], dtype=np.float64))

    @classmethod
    def of(cls, column: NumericColumn, *, is_time_of_day: bool = False) -> Self:
        """The bins that fit a reference column: one for each value up to ten values, else at most ten quantile bins."""
        finite = column[np.abs(column) < _FINITE_MAX]
        if is_time_of_day:
            finite = np.mod(finite, _DAY_SECONDS)
        if finite.size == 0:
            return cls((), is_time_of_day)
        values, repeats = np.unique(finite, return_counts=True)
        if len(values) <= INTERIOR_BINS_MAX:
            last_of_bin = np.arange(len(values))
        else:
            # Index of the k-th decile in whole numbers: the first value with at least k/10 of the rows up to it.
            up_to_value = np.cumsum(repeats) * INTERIOR_BINS_MAX
            last_of_bin = np.unique(np.searchsorted(up_to_value, finite.size * np.arange(1, INTERIOR_BINS_MAX + 1)))
        # A millionth of the largest value covers what rounding to float32 can move the extremes.
        slack = 1e-6 * float(np.abs(values[[0, -1]]).max()) + float(np.finfo(np.float64).tiny)
        inner = last_of_bin[:-1]
        midways = values[inner] / 2.0 + values[inner + 1] / 2.0
        return cls((float(values[0] - slack), *midways.tolist(), float(values[-1] + slack)), is_time_of_day)

    @property
    def size(self) -> int:
        """How many counts there are."""
        return len(self.edges) + 2

    def count(self, column: Column) -> Counts:
        """How many rows of a column fall in each bin; about 10 microseconds for 1,000 rows."""
        values = np.asarray(column, dtype=np.float64)
        if self.is_time_of_day:
            values = np.mod(values, _DAY_SECONDS)
        bins = np.searchsorted(self._search_edges, values)
        return np.bincount(bins, minlength=self.size).astype(np.int64, copy=False)

    def unknown_rows(self, counts: Counts) -> int:
        """How many counted rows lie outside the range of the reference."""
        outside = {0, len(self.edges)}
        return int(sum(counts[place] for place in outside))

    def to_json(self) -> dict[str, Any]:
        """A JSON object that ``bins_from_json`` reads back to equal bins."""
        return {"kind": "time_of_day" if self.is_time_of_day else "numeric", "edges": list(self.edges)}


@dataclass(frozen=True)
class CategoricalBins:
    """Bins of a text: one for each frequent category of the reference.

    The counts are, in this order: each category, every other value, missing.

    Attributes:
        categories: The most frequent first, ties in alphabetical order; at most 50.
    """

    categories: tuple[str, ...]
    _places: dict[str | None, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        places: dict[str | None, int] = {category: place for place, category in enumerate(self.categories)}
        places[None] = len(self.categories) + 1
        object.__setattr__(self, "_places", places)

    @classmethod
    def of(cls, column: CategoricalColumn) -> Self:
        """The bins that fit a reference column."""
        rows_of = Counter(value for value in column if value is not None)
        by_frequency = sorted(rows_of, key=lambda category: (-rows_of[category], category))
        return cls(tuple(by_frequency[:CATEGORIES_MAX]))

    @property
    def size(self) -> int:
        """How many counts there are."""
        return len(self.categories) + 2

    def count(self, column: Column) -> Counts:
        """How many rows of a column fall in each bin; about 50 microseconds for 1,000 rows."""
        counts = np.zeros(self.size, dtype=np.int64)
        other = len(self.categories)
        for value, rows in Counter(column).items():
            counts[self._places.get(value, other)] += rows
        return counts

    def unknown_rows(self, counts: Counts) -> int:
        """How many counted rows hold a value that has no bin of its own."""
        return int(counts[len(self.categories)])

    def to_json(self) -> dict[str, Any]:
        """A JSON object that ``bins_from_json`` reads back to equal bins."""
        return {"kind": "categorical", "categories": list(self.categories)}


FeatureBins = NumericBins | CategoricalBins


def bins_from_json(document: Mapping[str, Any]) -> FeatureBins:
    """The bins that ``to_json`` wrote.

    Raises:
        BadInput: A kind of bins that this version does not know.
    """
    kind = document["kind"]
    if kind == "categorical":
        return CategoricalBins(tuple(document["categories"]))
    if kind in ("numeric", "time_of_day"):
        return NumericBins(tuple(document["edges"]), kind == "time_of_day")
    raise BadInput(f'the reference holds bins of kind "{kind}", which this version cannot read: register it again')


@dataclass(frozen=True, eq=False)
class FeatureReference:
    """What one feature looked like in the reference.

    Attributes:
        bins: Its frozen bins.
        chunk_counts: int64 [chunks, bins]; the chunks cut the reference's rows, in their own order, into equal parts.
        stretch_counts: One int64 [stretches, bins] for each length below a chunk, the longest first, each half as long
            as the one before; the stretches lie all over the reference. Together with the chunks they show how far
            the feature wanders by itself.
    """

    bins: FeatureBins
    chunk_counts: NDArray[np.int64]
    stretch_counts: tuple[NDArray[np.int64], ...] = ()

    @cached_property
    def counts(self) -> Counts:
        """int64 [bins], of the whole reference."""
        counts: Counts = self.chunk_counts.sum(axis=0)
        return counts

    def to_json(self) -> dict[str, Any]:
        """A JSON object that ``from_json`` reads back: that of the bins, and the counts as nested lists."""
        stretches = [counts.tolist() for counts in self.stretch_counts]
        return {**self.bins.to_json(), "chunks": self.chunk_counts.tolist(), "stretches": stretches}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """The feature that ``to_json`` wrote."""
        stretches = tuple(np.array(counts, dtype=np.int64) for counts in document["stretches"])
        return cls(bins_from_json(document), np.array(document["chunks"], dtype=np.int64), stretches)


@dataclass(frozen=True, eq=False)
class Reference:
    """The histograms against which the windows of one version are compared.

    Attributes:
        rows: How many rows the reference has.
        features: By name, in the order in which they were given.
    """

    rows: int
    features: Mapping[str, FeatureReference]

    def to_json(self) -> dict[str, Any]:
        """A JSON object that ``from_json`` reads back; about 70 kB for 13 features."""
        features = {name: feature.to_json() for name, feature in self.features.items()}
        return {"format": _FORMAT, "rows": self.rows, "features": features}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """The reference that ``to_json`` wrote.

        Raises:
            BadInput: A format that this version does not know.
        """
        if document["format"] != _FORMAT:
            raise BadInput(
                f"the reference has format {document['format']}, this version reads {_FORMAT}: register it again"
            )
        features = {name: FeatureReference.from_json(feature) for name, feature in document["features"].items()}
        return cls(document["rows"], features)


def build_reference(columns: Mapping[str, Column], *, datetimes: Collection[str] = ()) -> Reference:
    """The frozen histograms of a reference, such as the rows that a version was trained on.

    The rows should be in the order in which they happened. Only then do the chunks show how far a feature wanders by
    itself; of shuffled rows they show sampling noise alone, and ordinary weather or weekdays look like drift.

    Args:
        columns: By feature; a NumPy array is numeric, any other sequence categorical. All of one length.
        datetimes: Which of the numeric columns hold datetimes.

    Raises:
        BadInput: No columns, no rows, or columns of different lengths.
    """
    lengths = {name: len(column) for name, column in columns.items()}
    if not lengths or min(lengths.values()) == 0:
        raise BadInput("a reference needs at least one column and one row")
    if len(set(lengths.values())) > 1:
        raise BadInput(f"the columns of a reference have different lengths: {lengths}")
    rows = next(iter(lengths.values()))
    chunks = _chunk_spans(rows)
    stretches = _stretch_spans(rows, rows // len(chunks))
    features = {name: _describe(column, chunks, stretches, name in datetimes) for name, column in columns.items()}
    return Reference(rows, features)


def _chunk_spans(rows: int) -> list[slice]:
    chunks = min(CHUNKS_MAX, max(1, rows // CHUNK_ROWS_MIN))
    return [slice(rows * chunk // chunks, rows * (chunk + 1) // chunks) for chunk in range(chunks)]


def _stretch_spans(rows: int, chunk_rows: int) -> list[list[slice]]:
    spans = []
    stretch_rows = chunk_rows // 2
    while stretch_rows >= STRETCH_ROWS_MIN:
        # Multiples of the golden ratio spread the starts evenly and fall in step with no calendar.
        starts = [int(place * _GOLDEN_RATIO % 1.0 * (rows - stretch_rows)) for place in range(STRETCHES)]
        spans.append([slice(start, start + stretch_rows) for start in starts])
        stretch_rows //= 2
    return spans


def _describe(
    column: Column, chunks: Sequence[slice], stretches: Sequence[Sequence[slice]], is_datetime: bool
) -> FeatureReference:
    bins: FeatureBins
    if isinstance(column, np.ndarray):
        bins = NumericBins.of(column.astype(np.float64, copy=False), is_time_of_day=is_datetime)
    else:
        bins = CategoricalBins.of(column)
    chunk_counts, *stretch_counts = (
        np.stack([bins.count(column[span]) for span in spans]) for spans in (chunks, *stretches)
    )
    return FeatureReference(bins, chunk_counts, tuple(stretch_counts))
