"""A page is read as it was meant."""

import pytest

from exporter.exposition import own, reading
from exporter.exposition.registry import Registry
from exporter.kube.status import WatchStatus
from exporter.model.changes import Sync


def fail(source: str, error: Exception) -> None:
    pytest.fail(f"{source}: {error!r}")


def test_each_resource_is_what_the_page_says() -> None:
    statuses = [
        WatchStatus(resource="pods", sync=Sync.SYNCED, last_event_at=12.5),
        WatchStatus(resource="nodes", sync=Sync.INTERRUPTED, last_event_at=1.0),
        WatchStatus(resource="leases", sync=Sync.UNKNOWN),
    ]
    source = own.OwnSource(version="1.2.3", resources=lambda: statuses)
    page = Registry([source], on_failure=fail).render(now=20.0)
    assert sorted(reading.watched(page), key=lambda status: status.resource) == sorted(
        statuses, key=lambda status: status.resource
    )


def test_what_is_no_page_is_an_error() -> None:
    with pytest.raises(ValueError, match="<html>"):
        reading.watched(b"<html>")
