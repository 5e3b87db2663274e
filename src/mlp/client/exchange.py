"""Calls and answers in JSON: encodes what a call says, decodes the answer strictly, raises the server's errors.

Every method of the client goes through Exchange; which paths there are is the business of those methods.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from mlp.client.event_stream import Event, events_in
from mlp.client.transport import Body, Response, StreamingTransport, Transport
from mlp.clock import to_rfc3339
from mlp.errors import BadInput, MLPError, Unavailable, all_error_classes

T = TypeVar("T")

#: A moment: aware, or RFC 3339 text that the server reads.
Moment = datetime | str
#: A value of a query; None leaves it out.
QueryValue = str | int | float | bool | datetime | None

_PAGE_ITEMS = 100  # asked for at once: one round trip for most lists, a small answer for the long ones
_PROBLEM_MEMBERS = frozenset({"type", "title", "status", "detail", "code", "message", "retry_after_seconds"})


class Exchange:
    """One server, seen as calls that return values or raise. Safe for use by several threads.

    Args:
        transport: Carries the requests; closed by ``close``.
        api_key: Sent as a bearer token (RFC 6750 section 2.1) with every call.
        timeout_seconds: Longest silence of the server that a call accepts, unless it says otherwise.
    """

    def __init__(self, transport: Transport, api_key: str | None, timeout_seconds: float) -> None:
        self._transport = transport
        self._headers = {"Accept": "application/json"}
        if api_key is not None:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self.timeout_seconds = timeout_seconds

    def call(
        self,
        answer_type: type[T],
        method: str,
        path: str,
        *,
        query: Mapping[str, QueryValue] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float | None = None,
    ) -> T:
        """The answer of one call, decoded as ``answer_type``; None as ``json`` sends no body.

        Raises:
            mlp.errors.MLPError: What the server said, in the class of its code; or an answer that cannot be read.
        """
        body = None if json is None else to_json(json)
        sent = {} if body is None else {"Content-Type": "application/json"}
        response = self.send(method, path, query, body, {**sent, **(headers or {})}, timeout_seconds)
        return decoded(response, answer_type, f"{method} {self._transport.address}{path}")

    def send(
        self,
        method: str,
        path: str,
        query: Mapping[str, QueryValue] | None = None,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float | None = None,
        statuses: frozenset[int] = frozenset(range(200, 300)),
    ) -> Response:
        """The answer of one call as it came.

        Raises:
            mlp.errors.MLPError: The status is not among ``statuses``; what the server said.
        """
        response = self._transport.send(
            method,
            path,
            query=query_texts(query or {}),
            body=body,
            headers={**self._headers, **(headers or {})},
            timeout_seconds=self.timeout_seconds if timeout_seconds is None else timeout_seconds,
        )
        if response.status not in statuses:
            raise error_of_response(response, f"{method} {self._transport.address}{path}")
        return response

    @property
    def can_stream(self) -> bool:
        """Whether an answer can be read while it comes."""
        return isinstance(self._transport, StreamingTransport)

    def events(self, path: str, last_id: str, timeout_seconds: float) -> Iterator[Event]:
        """The events of a stream behind the one of that id (empty: all), until the server ends it.

        Raises:
            mlp.errors.MLPError: What the server said instead.
        """
        assert isinstance(self._transport, StreamingTransport)
        headers = {**self._headers, "Accept": "text/event-stream"}
        if last_id:
            headers["Last-Event-ID"] = last_id
        with self._transport.open(path, headers=headers, timeout_seconds=timeout_seconds) as answer:
            if answer.status != 200:
                whole = Response(answer.status, answer.headers, b"".join(answer.chunks))
                if answer.status == 204:
                    return
                raise error_of_response(whole, f"GET {self._transport.address}{path}")
            yield from events_in(answer.chunks)

    def pages(
        self, page_type: type[T], path: str, query: Mapping[str, QueryValue], items_max: int | None
    ) -> Iterator[T]:
        """Page after page of a list, until ``items_max`` items are asked for or the list ends.

        Args:
            page_type: Has ``next``, the cursor of the page that follows or None.
            items_max: None for all.
        """
        cursor: str | None = None
        asked = 0
        while items_max is None or asked < items_max:
            limit = _PAGE_ITEMS if items_max is None else min(_PAGE_ITEMS, items_max - asked)
            page = self.call(page_type, "GET", path, query={**query, "limit": limit, "cursor": cursor})
            yield page
            asked += limit
            cursor = getattr(page, "next", None)
            if cursor is None:
                return

    def close(self) -> None:
        """Close the transport; may be called twice."""
        self._transport.close()


def key_header(idempotency_key: str | None) -> dict[str, str]:
    """The header by which repeated requests are one; none without a key."""
    return {} if idempotency_key is None else {"Idempotency-Key": f'"{idempotency_key}"'}


def path_of(*segments: str) -> str:
    """A path of percent-encoded segments, such as ``/v1/models/churn``.

    Raises:
        BadInput: A segment that no path can carry: empty, ``.`` or ``..`` (RFC 3986 section 3.3).
    """
    for segment in segments:
        if segment in ("", ".", ".."):
            raise BadInput(f'"{segment}" cannot be a name')
    return "/" + "/".join(quote(segment, safe="") for segment in segments)


def moment_text(moment: Moment) -> str:
    """RFC 3339 text of a moment; text is passed on for the server to read.

    Raises:
        BadInput: A datetime without time zone: which moment it means would be a guess.
    """
    if isinstance(moment, str):
        return moment
    if moment.tzinfo is None:
        raise BadInput(f"{moment} has no time zone: give one, such as .replace(tzinfo=datetime.UTC)")
    return to_rfc3339(moment)


def query_texts(query: Mapping[str, QueryValue]) -> dict[str, str]:
    """The parameters that are given, as the text that the query carries."""
    texts: dict[str, str] = {}
    for name, value in query.items():
        if value is None:
            continue
        if isinstance(value, bool):
            texts[name] = "true" if value else "false"
        elif isinstance(value, datetime):
            texts[name] = moment_text(value)
        else:
            texts[name] = str(value)
    return texts


def to_json(document: Any) -> bytes:
    """JSON bytes of a document of plain values, numpy scalars and aware times.

    Raises:
        BadInput: Something in it has no JSON form.
    """
    try:
        return msgspec.json.encode(document, enc_hook=native)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise BadInput(f"this cannot be sent as JSON: {error}") from error


def native(value: Any) -> Any:
    """The Python value of a numpy scalar, or the nested lists of a numpy array; times as naive datetimes.

    Raises:
        TypeError: It is neither, or holds spans of time.
    """
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    if kind is None or kind in "mV" or not hasattr(value, "tolist"):
        raise TypeError(f"a {type(value).__name__} has no JSON form")
    # In microseconds numpy gives datetimes; in nanoseconds it would give bare integers.
    return (value.astype("datetime64[us]") if kind == "M" else value).tolist()


def decoded(response: Response, answer_type: type[T], call: str) -> T:
    """The body of a response as a value of ``answer_type``; unknown members are allowed, wrong types are not.

    Raises:
        MLPError: The body is something else: another program listens there, or another version of MLP.
    """
    try:
        return msgspec.json.decode(response.body, type=answer_type)
    except msgspec.MsgspecError as error:
        raise MLPError(
            f"the answer to {call} cannot be read ({error}): is it an MLP server, of the version of this client?"
        ) from error


def error_of_response(response: Response, call: str) -> MLPError:
    """The error that a response describes, in the class of its code where it is one of ours."""
    problem: dict[str, Any] = {}
    if "json" in response.headers.get("content-type", ""):
        try:
            problem = msgspec.json.decode(response.body, type=dict[str, Any])
        except msgspec.MsgspecError:
            problem = {}  # a proxy's page under a wrong type; the status alone speaks below
    code, detail = problem.get("code"), problem.get("detail")
    if not isinstance(code, str) or not isinstance(detail, str):
        kind = Unavailable if response.status in (502, 503, 504) else MLPError
        return kind(f"{call} was answered with status {response.status} and no word of ours: is it an MLP server?")
    extra = {name: value for name, value in problem.items() if name not in _PROBLEM_MEMBERS}
    return error_of_code(code, detail, retry_after=response.headers.get("retry-after"), **extra)


def error_of_code(code: str, detail: str, *, retry_after: str | None = None, **extra: Any) -> MLPError:
    """An error of the class that has this code, with ``detail`` as message; MLPError for a code of a newer server."""
    error_class = all_error_classes().get(code)
    if error_class is None:
        return MLPError(f"{detail} ({code})", **extra)
    if issubclass(error_class, Unavailable):
        seconds = int(retry_after) if retry_after is not None and retry_after.isdigit() else 1
        return error_class(detail, retry_after_seconds=seconds, **extra)
    return error_class(detail, **extra)
