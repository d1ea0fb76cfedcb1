"""Retention: what counts as lost, deleted, re-created and changed, in sessions and over restarts."""

import pytest

from exporter.concerns import retention
from exporter.concerns.retention import Retention
from exporter.model import resources
from exporter.model.changes import ObjectChanged, Sync
from exporter.model.objects import Metadata
from exporter.model.report import RetentionReport
from exporter.settings import Settings
from tests import builders as b
from tests.unit.concerns.streams import Stream

SNAPSHOTS = "virtualmachinesnapshots.snapshot.kubevirt.io"
CRDS = (
    b.crd("virtualmachines.kubevirt.io", "v1"),
    b.crd(SNAPSHOTS, "v1alpha1", "v1beta1"),
    b.crd("datavolumes.cdi.kubevirt.io", "v1beta1"),
)


@pytest.fixture
def stream() -> Stream[Retention]:
    """Everything is listed: two VMs, two of KubeVirt's CRDs and one of its neighbour, two snapshots."""
    stream = Stream(Retention(Settings()), now=1000.0)
    stream.lists(b.kubevirt(), b.workload(b.API), b.vm("one"), b.vm("two"), *CRDS)
    stream.list(SNAPSHOTS, b.metadata("a"), b.metadata("b"))
    return stream


def begin(stream: Stream[Retention]) -> None:
    """An upgrade begins."""
    stream.put(b.kubevirt(b.NEW, observed=b.OLD))


def part(stream: Stream[Retention], resource: str = resources.VMS) -> RetentionReport:
    return stream.concern.report(stream.now, stream.tracker).objects[resource]


def snapshot_event(stream: Stream[Retention], old: Metadata | None, new: Metadata | None) -> None:
    stream.say(ObjectChanged(at=stream.now, resource=SNAPSHOTS, old=old, new=new))


def test_objects_are_counted_as_they_come_and_go(stream: Stream[Retention]) -> None:
    stream.drop(b.vm("one"))
    stream.put(b.vm("three"), b.vm("four"))
    assert stream.value(retention.OBJECTS, resources.VMS) == 3
    assert stream.value(retention.TOTALS["created"], resources.VMS) == 2
    assert stream.value(retention.TOTALS["deleted"], resources.VMS) == 1
    assert stream.value(retention.TOTALS["lost"], resources.VMS) == 0


def test_what_is_not_known_has_no_sample() -> None:
    stream = Stream(Retention(Settings()))
    stream.lists(b.kubevirt(), without=[resources.VMS, SNAPSHOTS])
    stream.sync(resources.VMS, Sync.FORBIDDEN)
    for family in retention.FAMILIES:
        assert not [labels for labels in stream.values(family) if labels and labels[0] in (resources.VMS, SNAPSHOTS)]
    stream.list(SNAPSHOTS, b.metadata("a"))
    assert stream.value(retention.OBJECTS, SNAPSHOTS) == 1
    stream.sync(SNAPSHOTS, Sync.FORBIDDEN)
    assert stream.value(retention.OBJECTS, SNAPSHOTS) is None


def test_only_kubevirts_crds_count(stream: Stream[Retention]) -> None:
    assert stream.value(retention.OBJECTS, resources.CRDS) == 2
    stream.drop(CRDS[2])
    assert stream.value(retention.TOTALS["lost"], resources.CRDS) == 0


def test_a_session_begins_with_what_is_there_and_keeps_its_values(stream: Stream[Retention]) -> None:
    stream.drop(b.vm("one"))
    assert stream.values(retention.BEFORE) == {}
    begin(stream)
    stream.put(b.vm("three"))
    assert stream.value(retention.BEFORE, resources.VMS) == 1
    assert stream.value(retention.SESSION["created"], resources.VMS) == 1
    assert stream.value(retention.SESSION["deleted"], resources.VMS) == 0
    stream.put(b.kubevirt(b.OLD))  # taken back
    assert not stream.tracker.active
    stream.put(b.vm("four"))
    assert part(stream) == RetentionReport(before=1, after=2, created=1, deleted=0, lost=0, recreated=0, spec_changed=0)
    assert stream.value(retention.SESSION["created"], resources.VMS) == 1
    begin(stream)
    assert part(stream).before == 3
    assert stream.value(retention.SESSION["created"], resources.VMS) == 0


def test_a_session_first_seen_under_way_has_no_before() -> None:
    stream = Stream(Retention(Settings()))
    stream.lists(b.kubevirt(b.NEW, observed=b.OLD), b.workload(b.API), b.vm())
    assert stream.tracker.active
    assert part(stream).before is None
    assert part(stream).after == 1
    assert stream.values(retention.BEFORE) == {}


def test_a_deletion_that_was_seen_is_not_a_loss(stream: Stream[Retention]) -> None:
    begin(stream)
    stream.drop(b.vm("one"))
    assert (part(stream).deleted, part(stream).lost) == (1, 0)


def test_an_object_that_vanishes_in_a_gap_is_lost_and_named(stream: Stream[Retention]) -> None:
    begin(stream)
    stream.list(resources.VMS, b.vm("two"))
    assert (part(stream).before, part(stream).deleted, part(stream).lost, part(stream).after) == (2, 1, 1, 1)
    assert stream.value(retention.TOTALS["lost"], resources.VMS) == 1
    assert stream.values(retention.LOST_OBJECT) == {(resources.VMS, "guests", "one"): 1000.0}


def test_an_explained_gap_is_no_loss(stream: Stream[Retention]) -> None:
    """It was being deleted, its owner took it along, or it is KubeVirt's own."""
    stream.put(b.vm("one", deleted=999.0))
    owned, own = b.metadata("owned", owned=True), b.metadata("own", managed=True)
    stream.list(SNAPSHOTS, b.metadata("a"), b.metadata("b"), owned, own)
    begin(stream)
    stream.list(resources.VMS, b.vm("two"))
    stream.list(SNAPSHOTS, b.metadata("a"), b.metadata("b"))
    assert (part(stream).deleted, part(stream).lost) == (1, 0)
    assert (part(stream, SNAPSHOTS).before, part(stream, SNAPSHOTS).deleted, part(stream, SNAPSHOTS).lost) == (3, 1, 0)


def test_names_of_lost_objects_end_at_the_limit() -> None:
    stream = Stream(Retention(Settings(anomalies=1)))
    stream.lists(b.kubevirt(), b.workload(b.API), b.vm("one"), b.vm("two"), b.vm("three"))
    begin(stream)
    stream.list(resources.VMS)
    assert len(stream.values(retention.LOST_OBJECT)) == 1
    assert stream.value(retention.UNNAMED) == 2
    assert part(stream).lost == 3


def test_a_crd_that_goes_is_lost_even_if_seen(stream: Stream[Retention]) -> None:
    begin(stream)
    stream.drop(CRDS[0])
    crds = part(stream, resources.CRDS)
    assert (crds.before, crds.after, crds.deleted, crds.lost) == (2, 1, 1, 1)


def test_a_crd_with_a_new_uid_is_lost_once(stream: Stream[Retention]) -> None:
    """Whether its coming back is one event of a list or two events of a watch."""
    begin(stream)
    stream.list(resources.CRDS, b.crd("virtualmachines.kubevirt.io", "v1", uid="new"), CRDS[1])
    assert (part(stream, resources.CRDS).lost, part(stream, resources.CRDS).recreated) == (1, 1)
    stream.drop(CRDS[1])
    stream.put(b.crd(SNAPSHOTS, "v1beta1", uid="new"))
    crds = part(stream, resources.CRDS)
    assert (crds.lost, crds.recreated, crds.deleted, crds.created, crds.after) == (2, 2, 2, 2, 2)


def test_a_vm_that_is_created_again_is_shown_and_not_lost(stream: Stream[Retention]) -> None:
    begin(stream)
    stream.drop(b.vm("one"))
    stream.put(b.vm("one", uid="new"))
    stream.list(resources.VMS, b.vm("one", uid="newer"), b.vm("two"))
    vms = part(stream)
    assert (vms.recreated, vms.deleted, vms.created, vms.lost, vms.after) == (2, 2, 2, 0, 2)


def test_changes_of_the_spec_are_counted_except_kubevirts_own(stream: Stream[Retention]) -> None:
    begin(stream)
    stream.put(b.vm("one", generation=2, spec_manager="kubectl-edit"))
    stream.put(b.vm("one", generation=2, spec_manager="kubectl-edit", stop_requests=("x",)))
    stream.put(b.vm("two", generation=2, spec_manager="virt-controller"))
    snapshot_event(stream, b.metadata("a"), b.metadata("a", generation=2))
    assert part(stream).spec_changed == 1
    assert part(stream, SNAPSHOTS).spec_changed == 1


def test_an_object_that_becomes_kubevirts_own_was_not_deleted(stream: Stream[Retention]) -> None:
    begin(stream)
    snapshot_event(stream, b.metadata("a"), b.metadata("a", managed=True))
    assert (part(stream, SNAPSHOTS).deleted, part(stream, SNAPSHOTS).after) == (0, 1)


def test_after_a_restart_a_smaller_number_is_deleted_and_a_crd_is_lost(stream: Stream[Retention]) -> None:
    begin(stream)
    stream.put(b.vm("three"))
    next_one = stream.restart(Retention(Settings()))
    next_one.now += 60.0
    replaced = b.crd("virtualmachines.kubevirt.io", "v1", uid="new")
    next_one.lists(b.kubevirt(b.NEW, observed=b.OLD), b.workload(b.API), b.vm("two"), replaced, without=[SNAPSHOTS])
    next_one.list(SNAPSHOTS, b.metadata("a"), b.metadata("b"), b.metadata("c"))
    vms, crds = part(next_one), part(next_one, resources.CRDS)
    assert (vms.before, vms.after, vms.created, vms.deleted, vms.lost) == (2, 1, 1, 2, 0)
    assert (crds.before, crds.after, crds.lost, crds.recreated, crds.created) == (2, 1, 2, 1, 1)
    assert part(next_one, SNAPSHOTS).created == 1
    assert next_one.value(retention.TOTALS["created"], resources.VMS) == 0


def test_a_second_restart_before_the_lists_forgets_nothing(stream: Stream[Retention]) -> None:
    begin(stream)
    third = stream.restart(Retention(Settings())).restart(Retention(Settings()))
    third.lists(b.kubevirt(b.NEW, observed=b.OLD), b.workload(b.API), b.vm("two"), *CRDS[1:])
    assert part(third).deleted == 1
    assert part(third, resources.CRDS).lost == 1


def test_a_snapshot_of_another_format_is_left_aside() -> None:
    concern = Retention(Settings())
    concern.restore({"format": 0})
    assert concern.snapshot()["account"] is None
