"""Formats of files and of what is printed. Imports nothing: every help page reads this."""

from enum import StrEnum


class RowFormat(StrEnum):
    """How rows stand in a file."""

    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"


class PredictionFormat(StrEnum):
    """How predictions are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
