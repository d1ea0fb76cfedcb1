"""What must not change the outcome does not: order within 5 s, duplicates, lists for events, restarts, clock steps."""

import json
import pathlib

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from exporter.fold import Fold
from exporter.model import resources
from exporter.model.changes import Change, ListReplaced, ObjectChanged, deltas
from exporter.model.families import Kind
from exporter.model.objects import Object
from exporter.model.report import Report
from exporter.model.store import Store
from exporter.recording.reader import Recording
from exporter.settings import Settings
from tests.cluster import NEW, Cluster

EXAMPLES = 12
NAMES = tuple(spec.name for spec in resources.RESOURCES)


def eventful() -> list[Change]:
    """An upgrade with everything in it: a crash, a stop, a poweroff, an eviction, a failed migration, a duplicate."""
    cluster = Cluster(guests=9).list_all()
    cluster.wait(60)
    cluster.begin_upgrade()
    cluster.change(resources.VMIS, "team/vm-0", phase="Failed")
    cluster.wait(20)
    cluster.remove(resources.VMIS, "team/vm-0")
    cluster.put(resources.VMIS, cluster.vmi("vm-0", uid="second-0", created=cluster.now))
    cluster.wait(60)
    cluster.change(resources.VMS, "team/vm-1", stop_requests=("vmi-vm-1",))
    cluster.wait(1)
    cluster.change(resources.VMIS, "team/vm-1", phase="Succeeded")
    cluster.wait(60)
    cluster.change(resources.VMIS, "team/vm-2", phase="Succeeded")
    cluster.wait(60)
    cluster.change(resources.LAUNCHERS, "team/virt-launcher-vm-3-0", disrupted="EvictionByEvictionAPI", node="node-1")
    cluster.wait(1)
    cluster.change(resources.VMIS, "team/vm-3", phase="Failed")
    cluster.wait(60)
    cluster.put(resources.LAUNCHERS, cluster.launcher("vm-4", "vmi-vm-4", serial=70, node="node-1"))
    cluster.wait(100)
    cluster.change(resources.LAUNCHERS, "team/virt-launcher-vm-4-70", running=False, phase="Succeeded")
    cluster.wait(60)
    cluster.control_plane()
    cluster.wait(20)
    cluster.migrate("vm-5", succeeds=False)
    cluster.wait(20)
    for name in ("vm-4", "vm-5", "vm-6", "vm-7"):
        cluster.migrate(name)
        cluster.wait(30)
    cluster.wait(60)
    return cluster.changes


EVENTFUL = eventful()


def folded(changes: list[Change]) -> Fold:
    fold = Fold(Settings(), exporter_version="test")
    for change in changes:
        fold.feed(change)
    return fold


def totals(fold: Fold, now: float) -> list[dict[str, object]]:
    """What a session comes to, times apart."""
    return [_totals(report) for report in fold.reports(now)]


def _totals(report: Report) -> dict[str, object]:
    continuity = report.continuity
    return {
        "path": (report.from_version, report.to_version, report.kind, report.deployment_id),
        "complete": (report.observed_complete_at is not None, report.reported_complete_at is not None),
        "phase": report.phase,
        "verdict": (report.verdict, report.verdict_so_far),
        "interrupted": continuity.interrupted.by_reason,
        "asked": continuity.asked,
        "duplicates": continuity.duplicate_launchers,
        "unattributed": continuity.unattributed,
        "named": sorted((a.name, a.kind) for a in continuity.anomalies),
        "migrations": report.migrations,
        "transitions": [(leader.component, leader.transitions) for leader in report.leadership],
        "lost": {name: entry.lost for name, entry in report.retention.objects.items()},
        "progress": report.progress,
    }


EXPECTED = totals(folded(EVENTFUL), EVENTFUL[-1].at)


def test_the_eventful_upgrade_is_what_it_was_made_to_be() -> None:
    """Otherwise the properties below would compare nothing with nothing."""
    (expected,) = EXPECTED
    assert expected["path"] == ("v1.3.0", NEW, "upgrade", "id-1.4.0")
    assert expected["complete"] == (True, True)
    assert expected["interrupted"] == {"evicted": 1, "failed": 1}
    assert (expected["asked"], expected["duplicates"], expected["unattributed"]) == (1, 1, 0)


def moved(changes: list[Change], delays: dict[str, float]) -> list[Change]:
    """Each resource's stream is late by so many seconds."""
    late = [
        msgspec.structs.replace(change, at=change.at + delays.get(getattr(change, "resource", ""), 0.0))
        for change in changes
    ]
    return sorted(late, key=lambda change: change.at)


@settings(max_examples=EXAMPLES)
@given(st.dictionaries(st.sampled_from(NAMES), st.floats(0, 4.9)))
def test_streams_are_not_ordered_against_each_other_within_five_seconds(delays: dict[str, float]) -> None:
    """The same totals, whichever watch is slow."""
    changes = moved(EVENTFUL, delays)
    assert totals(folded(changes), changes[-1].at + 60) == totals(folded(EVENTFUL), changes[-1].at + 60)


@settings(max_examples=EXAMPLES)
@given(st.sets(st.integers(0, len(EVENTFUL) - 1), max_size=40))
def test_a_change_told_twice_counts_once(twice: set[int]) -> None:
    """The store would drop it; the fold does not depend on that."""
    changes: list[Change] = []
    for index, change in enumerate(EVENTFUL):
        changes.append(change)
        if index in twice and isinstance(change, ObjectChanged) and change.new is not None:
            changes.append(ObjectChanged(at=change.at, resource=change.resource, old=change.new, new=change.new))
    assert totals(folded(changes), EVENTFUL[-1].at) == EXPECTED


def as_list(changes: list[Change], resource: str, start: int, seconds: float) -> list[Change]:
    """The resource's events from `start` on, for so many seconds, are learnt as one difference between lists."""
    until = changes[start].at + seconds
    first: dict[str, Object | None] = {}
    last: dict[str, Object | None] = {}
    kept: list[Change] = []
    done = False
    for index, change in enumerate(changes):
        inside = index >= start and change.at < until
        if inside and isinstance(change, ObjectChanged) and change.resource == resource:
            subject = change.new or change.old
            assert subject is not None
            first.setdefault(subject.key, change.old)
            last[subject.key] = change.new
            continue
        if change.at >= until and not done:
            done = True
            kept.append(_difference(resource, until, first, last))
        kept.append(change)
    if not done:
        kept.append(_difference(resource, until, first, last))
    return kept


def _difference(
    resource: str, at: float, first: dict[str, Object | None], last: dict[str, Object | None]
) -> ListReplaced:
    added, changed, removed = [], [], []
    for key, old in first.items():
        new = last[key]
        if old is None and new is not None:
            added.append(new)
        elif old is not None and new is None:
            removed.append(old)
        elif old is not None and new is not None and old != new:
            changed.append((old, new))
    return ListReplaced(
        at=at, resource=resource, added=tuple(added), changed=tuple(changed), removed=tuple(removed), initial=False
    )


@settings(max_examples=EXAMPLES * 2)
@given(st.sampled_from(NAMES), st.integers(40, len(EVENTFUL) - 2), st.floats(0, 3))
def test_a_short_gap_that_a_list_explains_changes_nothing(resource: str, start: int, seconds: float) -> None:
    """CRD updates cut the watches of every upgrade."""
    changes = as_list(EVENTFUL, resource, start, seconds)
    assert totals(folded(changes), EVENTFUL[-1].at + 60) == totals(folded(EVENTFUL), EVENTFUL[-1].at + 60)


@settings(max_examples=EXAMPLES * 2)
@given(st.lists(st.integers(len(NAMES), len(EVENTFUL) - 1), min_size=1, max_size=4))
def test_a_restart_anywhere_continues_the_session(where: list[int]) -> None:
    """Snapshot, new process, lists, and on: nothing lost, nothing counted twice."""
    assert restarted(EVENTFUL, set(where)) == EXPECTED


def restarted(changes: list[Change], where: set[int]) -> list[dict[str, object]]:
    fold = Fold(Settings(), exporter_version="test")
    stores = {name: Store(name) for name in NAMES}
    known: dict[str, dict[str, Object]] = {name: {} for name in NAMES}
    listed: set[str] = set()
    for index, change in enumerate(changes):
        if index in where:
            state = json.loads(json.dumps(fold.snapshot()))
            past = tuple(fold.reports(change.at))[:-1]
            fold = Fold(Settings(), exporter_version="test")
            fold.restore(state, past=past)
            stores = {name: Store(name) for name in NAMES}
            for name in sorted(listed):
                fold.feed(stores[name].replace(list(known[name].values()), at=changes[index - 1].at))
        fold.feed(change)
        if isinstance(change, ObjectChanged | ListReplaced):
            listed.add(change.resource)
            for delta in deltas(change):
                if delta.new is not None:
                    known[change.resource][delta.new.key] = delta.new
                elif delta.old is not None:
                    known[change.resource].pop(delta.old.key, None)
    return totals(fold, changes[-1].at)


@settings(max_examples=EXAMPLES)
@given(st.lists(st.tuples(st.integers(0, len(EVENTFUL) - 1), st.floats(-120, 0)), max_size=5))
def test_a_clock_that_steps_back_stops_time_and_breaks_nothing(steps: list[tuple[int, float]]) -> None:
    """Counters never decrease, and nothing raises."""
    changes = list(EVENTFUL)
    for index, step in steps:
        changes[index] = msgspec.structs.replace(changes[index], at=changes[index].at + step)
    fold = Fold(Settings(), exporter_version="test")
    before: dict[tuple[str, tuple[str, ...]], float] = {}
    for index, change in enumerate(changes):
        fold.feed(change)
        if index % 25:
            continue
        counters = {
            (sample.family.name, sample.labels): sample.value
            for source in fold.sources()
            for sample in source.samples(fold.last)
            if sample.family.kind is Kind.COUNTER
        }
        assert all(counters[key] >= value for key, value in before.items())
        before = counters


@pytest.mark.parametrize("name", ["upgrade-1.3.0-1.4.0.jsonl.gz", "upgrade-1.2.0-1.3.0-1.4.0-staged.jsonl.gz"])
def test_a_real_upgrade_survives_slow_watches_and_restarts(recordings: pathlib.Path, name: str) -> None:
    """The same totals as when all went smoothly."""
    with Recording(recordings / name) as recording:
        changes = list(recording.changes())
        end = recording.ended + 10
    plain = totals(folded(changes), end)
    late = moved(changes, {resources.PODS: 4.9, resources.VMIS: 2.0, resources.KUBEVIRTS: 3.0, resources.LEASES: 1.0})
    assert totals(folded(late), end) == plain
    third = len(changes) // 3
    assert restarted(changes, {third, 2 * third, 2 * third + 40}) == totals(folded(changes), changes[-1].at)
