"""Writes the call of a model in another language, with values that it accepts, to be pasted and run as it is."""

import json
from collections.abc import Callable, Sequence
from typing import Any, Literal
from urllib.parse import quote

Language = Literal["curl", "node", "python"]

#: Beyond this JavaScript's numbers are not exact (ECMA-262, Number.MAX_SAFE_INTEGER).
_SAFE_INTEGER_MAX = 2**53 - 1


def render_call(
    language: Language,
    base_url: str,
    model: str,
    rows: Sequence[Any],
    *,
    version: str | None = None,
    has_key: bool = False,
) -> str:
    """A call of the model that predicts these rows.

    ``curl`` is for a POSIX shell; ``node`` an ES module for Node 18 or later; ``python`` needs the standard library
    alone. All three print the answer.

    Args:
        base_url: Of the server, such as ``http://localhost:4789``.
        rows: Objects by input name or lists in their order, as JSON has them.
        version: Number or alias of the version that is asked; None leaves it to the model's traffic.
        has_key: The server asks for a key; the call takes it from the environment variable MLP_API_KEY.
    """
    path = f"/v1/models/{quote(model, safe='')}" + ("" if version is None else f"/versions/{quote(version, safe='')}")
    url = f"{base_url.rstrip('/')}{path}/predict"
    return _RENDERERS[language](url, {"rows": list(rows)}, has_key)


def _curl(url: str, body: Any, has_key: bool) -> str:
    lines = [f"curl -sS {_shell(url)}", "-H 'Content-Type: application/json'"]
    if has_key:
        lines.append('-H "Authorization: Bearer $MLP_API_KEY"')
    lines.append(f"-d {_shell(json.dumps(body))}")
    return " \\\n  ".join(lines)


def _shell(text: str) -> str:
    """The text as one word of a POSIX shell (IEEE 1003.1, 2.2.2): in single quotes, which only a quote can end."""
    return "'" + text.replace("'", "'\\''") + "'"


def _node(url: str, body: Any, has_key: bool) -> str:
    text = json.dumps(body)
    # What JavaScript would change on the way is sent as the text it is.
    value = json.dumps(text) if _is_changed_by_javascript(body) else f"JSON.stringify({text})"
    key = ', "Authorization": `Bearer ${process.env.MLP_API_KEY}`' if has_key else ""
    return (
        f"const response = await fetch({json.dumps(url)}, {{\n"
        '  method: "POST",\n'
        f'  headers: {{ "Content-Type": "application/json"{key} }},\n'
        f"  body: {value},\n"
        "});\n"
        "console.log(JSON.stringify(await response.json(), null, 2));"
    )


def _is_changed_by_javascript(value: Any) -> bool:
    """Whether a literal of the value would lose digits of an integer, or set a prototype instead of a member."""
    if isinstance(value, dict):
        return "__proto__" in value or any(map(_is_changed_by_javascript, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_is_changed_by_javascript, value))
    return isinstance(value, int) and abs(value) > _SAFE_INTEGER_MAX


def _python(url: str, body: Any, has_key: bool) -> str:
    key = ', "Authorization": f"Bearer {os.environ[\'MLP_API_KEY\']}"' if has_key else ""
    return (
        "import json\n"
        + ("import os\n" if has_key else "")
        + "import urllib.request\n"
        + "\n"
        + "request = urllib.request.Request(\n"
        + f"    {json.dumps(url)},\n"
        + f"    data=json.dumps({body!a}).encode(),\n"
        + f'    headers={{"Content-Type": "application/json"{key}}},\n'
        + ")\n"
        + "with urllib.request.urlopen(request) as response:\n"
        + "    print(json.dumps(json.load(response), indent=2))"
    )


_RENDERERS: dict[Language, Callable[[str, Any, bool], str]] = {"curl": _curl, "node": _node, "python": _python}
