"""A plain Starlette route that says its template, so that its requests are counted under it and not by their path."""

from typing import Any

from starlette.routing import Match, Route
from starlette.types import Scope


class CountedRoute(Route):
    """As Route; the middleware finds it in the scope, where FastAPI's own routes put themselves."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """The match, with this route in its scope."""
        match, found = super().matches(scope)
        with_route: dict[str, Any] = {**found, "route": self}
        return match, with_route if match is not Match.NONE else found
