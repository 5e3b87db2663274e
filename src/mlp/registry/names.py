"""Names of models and aliases, references to versions, and the messages when there is nothing of that name."""

import difflib
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence

from mlp.errors import BadInput, UnknownModel, UnknownVersion

#: The alias whose version answers requests that name none.
CHAMPION = "champion"
#: Characters of a model's name at most.
MODEL_NAME_MAX = 200
#: Characters of the reason of a move at most: a paragraph.
REASON_MAX = 2000

_ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,63}")
#: Nine digits, so that every number fits the 32 bits of its column.
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_SHOWN_MAX = 5


def checked_model_name(name: str) -> str:
    """The name in its composed form (Unicode NFC), in which it is stored and compared.

    Raises:
        BadInput: It cannot name a model; the message says why.
    """
    composed = unicodedata.normalize("NFC", name)
    refusal = _refusal_of(composed)
    if refusal is not None:
        raise BadInput(f"{name[:MODEL_NAME_MAX]!r} cannot name a model: {refusal}")
    return composed


def stored_name(name: str) -> str | None:
    """The name as it would be stored if there is such a model; None for what cannot name one."""
    composed = unicodedata.normalize("NFC", name)
    return composed if _refusal_of(composed) is None else None


def _refusal_of(name: str) -> str | None:
    if not 1 <= len(name) <= MODEL_NAME_MAX:
        return f"a name has 1 to {MODEL_NAME_MAX} characters"
    if name != name.strip() or name in (".", ".."):
        return "a name neither begins nor ends with a space, and is not '.' or '..'"
    for character in name:
        # Letters, the marks that some scripts write them with, and digits.
        if unicodedata.category(character)[0] not in "LMN" and character not in "._- ":
            return f"{character!r} is no letter, digit, dot, underscore, hyphen or space"
    return None


def checked_alias(alias: str) -> str:
    """The alias.

    Raises:
        BadInput: It cannot be one.
    """
    if _ALIAS.fullmatch(alias) is None:
        raise BadInput(
            f"{alias[:80]!r} cannot be an alias: it begins with a to z; "
            "a to z, digits, hyphen and underscore follow; 64 characters at most"
        )
    return alias


def checked_reason(reason: str) -> str:
    """The reason of a move, as both databases take it.

    Raises:
        BadInput: Too long, or with characters that no text holds.
    """
    if len(reason) > REASON_MAX:
        raise BadInput(f"the reason has {len(reason)} characters, {REASON_MAX} are allowed")
    if any(unicodedata.category(character) == "Cs" or character == "\0" for character in reason):
        raise BadInput("the reason holds a NUL or half a character")
    return reason


def number_in(reference: str) -> int | None:
    """The version number that a reference is; None for an alias."""
    return int(reference) if _NUMBER.fullmatch(reference) else None


def unknown_model(name: str, known: Collection[str]) -> UnknownModel:
    """The error for a model that is not there, with what was probably meant, or what there is."""
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return UnknownModel(f"unknown model '{name[:MODEL_NAME_MAX]}': did you mean '{close[0]}'?")
    shown = f"there are {_list_of(sorted(known))}" if known else "there are no models yet: run `mlp models add`"
    return UnknownModel(f"unknown model '{name[:MODEL_NAME_MAX]}': {shown}")


def unknown_version(
    model: str, reference: str, aliases: Mapping[str, int], newest_numbers: Sequence[int]
) -> UnknownVersion:
    """The error for a version that is not there, with what was probably meant, or what there is.

    Args:
        newest_numbers: The newest first; one more than is shown says that there are more.
    """
    message = f"model '{model}' has no version '{reference[:80]}'"
    close = difflib.get_close_matches(reference, aliases, n=1)
    if close:
        return UnknownVersion(f"{message}: did you mean '{close[0]}'?")
    named = ", ".join(f"{alias} is {number}" for alias, number in sorted(aliases.items())[:_SHOWN_MAX])
    numbers = _list_of([str(number) for number in newest_numbers]) if newest_numbers else "none"
    return UnknownVersion(f"{message}: it has {numbers}" + (f" ({named})" if named else ""))


def _list_of(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:_SHOWN_MAX])
    return f"{shown} and more" if len(names) > _SHOWN_MAX else shown
