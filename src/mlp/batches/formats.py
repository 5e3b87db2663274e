"""Which format a file is in, by what the request says of it (RFC 9110 section 8.3); who reads it, what answers it."""

from pathlib import Path

from mlp.batches import parquet_reader
from mlp.batches.batch import Options
from mlp.batches.choices import BatchFormat
from mlp.batches.file_reader import CSVReader, FileReader, JSONLinesReader
from mlp.errors import UnsupportedFormat

#: RFC 7111 names text/csv; for JSON lines several names are in use, and none is registered.
_OF_TYPE = {
    "text/csv": BatchFormat.CSV,
    "application/csv": BatchFormat.CSV,
    "text/tab-separated-values": BatchFormat.CSV,
    "application/x-ndjson": BatchFormat.JSONL,
    "application/ndjson": BatchFormat.JSONL,
    "application/jsonl": BatchFormat.JSONL,
    "application/x-jsonlines": BatchFormat.JSONL,
    "application/json-lines": BatchFormat.JSONL,
    "application/vnd.apache.parquet": BatchFormat.PARQUET,
    "application/x-parquet": BatchFormat.PARQUET,
}
_TAB_SEPARATED = "text/tab-separated-values"
#: The types that results have, by the ending of their names.
RESULT_TYPES = {"csv": "text/csv; charset=utf-8; header=present", "jsonl": "application/x-ndjson"}


def format_of(named: str | None, content_type: str | None, content_encoding: str | None) -> BatchFormat:
    """The format that the parameter ``format`` names, else the header Content-Type.

    Raises:
        UnsupportedFormat: None that is taken; the message says what is.
    """
    if content_encoding not in (None, "", "identity"):
        raise UnsupportedFormat(f"Content-Encoding: {content_encoding[:40]} is not taken: send the file as it is")
    found = _OF_TYPE.get(_media_type(content_type)) if named is None else _named(named)
    if found is None:
        media_type = _media_type(content_type)
        said = f'Content-Type "{media_type[:60]}"' if media_type else "a request without Content-Type"
        raise UnsupportedFormat(f"{said} does not say how the rows are written: add format=csv, jsonl or parquet")
    if found is BatchFormat.PARQUET:
        parquet_reader.check_installed()
    return found


def _named(name: str) -> BatchFormat:
    try:
        return BatchFormat(name)
    except ValueError:
        raise UnsupportedFormat(f'format="{name[:40]}" is not taken: use csv, jsonl or parquet') from None


def make_reader(options: Options, folder: Path) -> FileReader:
    """The reader of the format that the options name.

    Args:
        folder: Where a file is put aside that can only be read whole.
    """
    if options.format is BatchFormat.PARQUET:
        return parquet_reader.ParquetReader(folder)
    return CSVReader(options.delimiter) if options.format is BatchFormat.CSV else JSONLinesReader()


def result_ending(file_format: BatchFormat) -> str:
    """The ending of the name of a result: ``csv`` or ``jsonl``."""
    return "csv" if file_format is BatchFormat.CSV else "jsonl"


def delimiter_of(named: str | None, content_type: str | None) -> str:
    """The character between the cells: the one that is named, else the one of the type."""
    if named is not None:
        return named
    return "\t" if _media_type(content_type) == _TAB_SEPARATED else ","


def _media_type(content_type: str | None) -> str:
    return "" if content_type is None else content_type.partition(";")[0].strip().lower()
