"""What the verdict needs to know beyond the document itself."""

import msgspec


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Measured by tracker and concerns; seconds."""

    path_supported: bool | None
    handler_waves: int | None
    """How often KubeVirt has to wait for handlers: the canary, then a tenth of the nodes at a time. None: not known."""
    handler_grace: float
    longest_pause: float
    """Longest time without progress of the component whose turn it was."""
    obstacles: dict[str, str]
    """What stalled components wait for, in words; only where that can be told."""
    out_of_order: tuple[tuple[str, str], ...]
    relapsed: bool
    failed_updates: int
    finished_updates: int
    stranded: dict[str, int]
    workloads_began: float | None
    blind: tuple[str, ...]
    """Deciding resources that we may not read."""
    operator_version: str
    broken: tuple[str, ...]
    """Concerns that have failed and count no more."""
