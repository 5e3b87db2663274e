"""Decides which version answers a request that names none: the champion, or by share and stickily the canary."""

from collections.abc import Sequence
from zlib import crc32

from mlp.registry.snapshot import Snapshot

CHAMPION = "champion"


def choose_reference(
    snapshot: Snapshot, model: str, reference: str | None, keys: Sequence[str | None] | None, answer_id: str
) -> tuple[str, str]:
    """The reference to resolve and the role to record: champion, canary, or direct where the caller named one.

    The same key always goes the same way while the share stays (and only joins the canary as the share grows), so
    that one customer does not see two models in turn; requests without keys are spread by their id.
    """
    if reference is not None:
        return reference, "direct"
    entry = snapshot.models.get(model)
    canary = None if entry is None else entry.traffic.get("canary")
    if not canary:
        return CHAMPION, "champion"
    first_key = keys[0] if keys else None
    place = crc32(f"{model}:{answer_id if first_key is None else first_key}".encode()) % 10_000
    return (canary["alias"], "canary") if place < canary["percent"] * 100 else (CHAMPION, "champion")
