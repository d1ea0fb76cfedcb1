"""Metrics that only the probes know: what may not be asked, which versions replicas claim, what became of manifests.

Requests, failures and seconds are not here: the fold counts them, in `exporter.concerns.compatibility`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from exporter.model.families import Family, Kind, Sample
from exporter.probes.manifests import Corpus, Verdict
from exporter.probes.runner import IDLE_INTERVAL, Slot, Standing

REMEMBERED: Final = 4 * IDLE_INTERVAL
"""Seconds for which a version that a replica claimed counts as running."""

_VERSIONS_KEPT: Final = 10

STANDING: Final = Family(
    name="probe_standing", kind=Kind.STATESET, labels=("probe", "connection", "standing"),
    states=tuple(standing.value for standing in Standing),
    help="Whether this probe has ever worked. One that is not_permitted, or not_found because the cluster does not"
    " serve what it asks for, is not measured.",
)  # fmt: skip
UNDER_WAY: Final = Family(
    name="probe_requests_under_way", kind=Kind.GAUGE, labels=("probe", "connection"),
    help="Requests that have been sent and not ended.",
)  # fmt: skip
MISSED: Final = Family(
    name="probe_missed", kind=Kind.COUNTER, labels=("probe", "connection"),
    help="Requests that were not sent because their time had passed: this process got too little CPU.",
)  # fmt: skip
VERSIONS: Final = Family(
    name="virt_api_versions_seen", kind=Kind.GAUGE,
    help="Different versions that virt-api's replicas have claimed to be within a minute: 2 while it rolls over.",
)  # fmt: skip
VERSION: Final = Family(
    name="virt_api_version_seen_timestamp_seconds", kind=Kind.GAUGE, labels=("version",),
    help="When a replica of virt-api last claimed to be this version.",
)  # fmt: skip
MANIFEST: Final = Family(
    name="manifest_verdict", kind=Kind.STATESET, labels=("manifest", "release", "verdict"),
    states=tuple(verdict.value for verdict in Verdict),
    help="What the cluster makes of a manifest as users of a release wrote it, asked as a dry run.",
)  # fmt: skip
MANIFESTS_RUN: Final = Family(
    name="manifests_last_run_timestamp_seconds", kind=Kind.GAUGE, help="When all manifests had last been tried."
)
FAMILIES: Final = (STANDING, UNDER_WAY, MISSED, VERSIONS, VERSION, MANIFEST, MANIFESTS_RUN)


class VersionsSeen:
    """Which versions virt-api's replicas claim; `on_change` is called when one comes to those known, or is gone."""

    def __init__(self, *, now: Callable[[], float], on_change: Callable[[], None]) -> None:
        self._now = now
        self._on_change = on_change
        self._seen: dict[str, float] = {}
        self._known: frozenset[str] = frozenset()

    def __call__(self, version: str) -> None:
        """A replica claims a version."""
        now = self._now()
        self._seen.pop(version, None)
        self._seen[version] = now
        while len(self._seen) > _VERSIONS_KEPT:
            del self._seen[next(iter(self._seen))]
        known = frozenset(self.recent(now))
        if self._known and known != self._known:
            self._on_change()
        self._known = known

    def recent(self, now: float) -> dict[str, float]:
        """Versions claimed lately, with the time of the last claim."""
        return {version: at for version, at in self._seen.items() if now - at < REMEMBERED}

    def __bool__(self) -> bool:
        return bool(self._seen)


class ProbesSource:
    """The source of this module's families."""

    name = "probes"
    families = FAMILIES

    def __init__(
        self, slots: Sequence[Slot] = (), versions: VersionsSeen | None = None, corpus: Corpus | None = None
    ) -> None:
        self._slots = slots
        self._versions = versions
        self._corpus = corpus

    def samples(self, now: float) -> Iterator[Sample]:
        """What is true now."""
        for slot in self._slots:
            labels = {"probe": slot.probe.name, "connection": slot.connection}
            yield from STANDING.state(slot.standing.value, **labels)
            yield UNDER_WAY(slot.under_way, **labels)
            yield MISSED(slot.missed, **labels)
        if self._versions:
            recent = self._versions.recent(now)
            yield VERSIONS(len(recent))
            for version, at in sorted(recent.items()):
                yield VERSION(at, version=version)
        if self._corpus is None:
            return
        for finding in self._corpus.findings.values():
            manifest = finding.manifest
            yield from MANIFEST.state(finding.verdict.value, manifest=manifest.name, release=manifest.release)
        if self._corpus.last_run is not None:
            yield MANIFESTS_RUN(self._corpus.last_run)
