"""Reads a metrics page of ours again: how well it says that each resource is watched."""

from prometheus_client import parser

from exporter.exposition import own
from exporter.kube.status import WatchStatus
from exporter.model.changes import Sync


def watched(page: bytes) -> list[WatchStatus]:
    """The state of each resource, and when it was last heard of; the rest is as if nothing had happened yet.

    Raises ValueError: it is not a page in the classic text format.
    """
    states: dict[str, Sync] = {}
    heard: dict[str, float] = {}
    for family in parser.text_string_to_metric_families(page.decode()):
        for sample in family.samples:
            if sample.name == own.STATE.exposed_name and sample.value:
                states[sample.labels["resource"]] = Sync(sample.labels["state"])
            elif sample.name == own.LAST_EVENT.exposed_name:
                heard[sample.labels["resource"]] = sample.value
    return [WatchStatus(resource=name, sync=sync, last_event_at=heard.get(name)) for name, sync in states.items()]
