"""Whether we still see the cluster: what the page shows is only as true as it is fresh, so this comes first."""

from typing import Final

from exporter.model.changes import Sync
from exporter.web.markup import Html, el, together
from exporter.web.status import Status
from exporter.web.wording import Tone, badge, duration, moment

PATIENCE: Final = 10.0
"""Seconds without a word that are nothing: every upgrade cuts watches for two of them, when definitions change."""
SILENCE: Final = 90.0
"""Seconds of a watch that is cut after which we say so at the top: bookmarks come once a minute."""


def blind_since(status: Status) -> float | None:
    """When the cluster was last heard of, where every watch is cut and that is no moment ago; None where we see it."""
    states = {resource.sync for resource in status.resources}
    if Sync.INTERRUPTED not in states or Sync.SYNCED in states:
        return None
    heard = max((resource.last_event_at or status.started_at for resource in status.resources), default=status.now)
    return heard if status.now - heard > PATIENCE else None


def silent(status: Status) -> list[str]:
    """Resources whose watch is cut, and was not heard of for long."""
    return [
        resource.resource
        for resource in status.resources
        if resource.sync is Sync.INTERRUPTED and status.now - (resource.last_event_at or status.started_at) > SILENCE
    ]


def silence(since: float, status: Status) -> str:
    """What it means to be blind, in a sentence."""
    return f"The cluster's API does not answer us: nothing heard for {duration(round(status.now - since))}."


def away(since: float, status: Status) -> Html:
    """The same, and of when is what the page shows."""
    return together([silence(since, status), " What you see was true at ", moment(since, status.now), " UTC."])


def warning(status: Status) -> Html | None:
    """For the top of the page: what we do not see any more. None where nothing is wrong."""
    since = blind_since(status)
    if since is not None:
        return el("p", badge(Tone.UNKNOWN, "blind"), " ", away(since, status), class_="why")
    if unheard := silent(status):
        return el("p", badge(Tone.WARN, "not current"), f" {named(unheard)}: the watch is cut.", class_="why")
    return None


def named(resources: list[str], *, most: int = 5) -> str:
    """Some names, and how many there are beside them."""
    more = len(resources) - most
    return ", ".join(resources[:most]) + (f" and {more} more" if more > 0 else "")
