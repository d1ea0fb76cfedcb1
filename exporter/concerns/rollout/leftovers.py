"""What KubeVirt says of itself in its CR's conditions, and what its preparations leave behind when they get stuck."""

from collections.abc import Iterator

from exporter.model import resources
from exporter.model.changes import ListReplaced, ObjectChanged, deltas
from exporter.model.families import Family, Kind, Sample
from exporter.model.objects import Job, Object, WebhookConfiguration
from exporter.tracker.tracker import View

_CONDITIONS = ("Available", "Created", "Degraded", "Progressing", "Synchronized")
_STATUSES = ("true", "false", "unknown", "absent")
_TEMPORARY = "virt-operator-tmp-webhook"

CONDITION = Family(
    name="kubevirt_condition", kind=Kind.STATESET, labels=("condition", "status"),
    states=_STATUSES,
    help="Conditions of the KubeVirt CR. Degraded is true and Created is absent in every upgrade.",
)  # fmt: skip
WEBHOOKS = Family(
    name="temporary_webhooks", kind=Kind.GAUGE,
    help="Webhook configurations with which virt-operator bars new kinds until virt-api knows them; left behind, they"
    " show that an upgrade is stuck.",
)  # fmt: skip
JOBS = Family(name="failed_install_jobs", kind=Kind.GAUGE, help="Install-strategy jobs of virt-operator that failed.")

FAMILIES = (CONDITION, WEBHOOKS, JOBS)


class Leftovers:
    """Temporary webhooks and failed jobs that are there."""

    def __init__(self) -> None:
        self._webhooks = 0
        self._jobs = 0

    def observe(self, change: ObjectChanged | ListReplaced) -> None:
        """Count."""
        if change.resource == resources.VALIDATING_WEBHOOKS:
            self._webhooks += sum(_temporary(delta.new) - _temporary(delta.old) for delta in deltas(change))
        elif change.resource == resources.JOBS:
            self._jobs += sum(_failed(delta.new) - _failed(delta.old) for delta in deltas(change))

    def samples(self, view: View) -> Iterator[Sample]:
        """Families of `FAMILIES`."""
        kubevirt = view.kubevirt
        if kubevirt is not None and view.sync.known(resources.KUBEVIRTS):
            for kind in _CONDITIONS:
                condition = kubevirt.condition(kind)
                status = condition.status.lower() if condition is not None else "absent"
                yield from CONDITION.state(status if status in _STATUSES else "unknown", condition=kind)
        if view.sync.known(resources.VALIDATING_WEBHOOKS):
            yield WEBHOOKS(self._webhooks)
        if view.sync.known(resources.JOBS):
            yield JOBS(self._jobs)


def _temporary(obj: Object | None) -> bool:
    return isinstance(obj, WebhookConfiguration) and obj.name.startswith(_TEMPORARY)


def _failed(obj: Object | None) -> bool:
    return isinstance(obj, Job) and obj.install_strategy and obj.failed
