"""What counts as an interruption and what does not (design §2)."""

from typing import Any

import pytest

from exporter.model import resources
from exporter.model.changes import Sync
from exporter.model.report import Verdict
from tests.cluster import NEW, Cluster, image


def upgrading(*, methods: tuple[str, ...] = ("LiveMigrate",)) -> Cluster:
    cluster = Cluster(methods=methods).list_all()
    cluster.begin_upgrade()
    return cluster


def come_back(cluster: Cluster, name: str, *, after: float = 20.0, uid: str = "second") -> None:
    """The VM controller starts the guest again."""
    cluster.remove(resources.VMIS, f"team/{name}")
    cluster.put(resources.VMIS, cluster.vmi(name, uid=uid, created=cluster.now, phase="Scheduling"))
    cluster.wait(after)
    cluster.change(resources.VMIS, f"team/{name}", phase="Running")


def test_a_guest_that_fails_is_interrupted_until_its_next_instance_runs() -> None:
    """The count waits 30 s for what others have to say; the seconds do not."""
    cluster = upgrading()
    at = cluster.now
    cluster.change(resources.VMIS, "team/vm-0", phase="Failed")
    come_back(cluster, "vm-0", after=20)
    assert cluster.report().continuity.interrupted.total == 0
    cluster.wait(11)
    continuity = cluster.report().continuity
    assert (continuity.interrupted.total, continuity.interrupted.by_reason) == (1, {"failed": 1})
    assert continuity.interruption_seconds == 20
    (anomaly,) = continuity.anomalies
    assert (anomaly.namespace, anomaly.name, anomaly.kind, anomaly.at) == ("team", "vm-0", "interrupted", at)
    assert cluster.report().verdict is Verdict.FAILED
    assert cluster.samples()["vmi_interruptions_total", ("failed",)] == 1


def test_a_guest_that_stays_away_costs_seconds_until_nobody_wants_it_any_more() -> None:
    """Halting the VM ends the account."""
    cluster = upgrading()
    cluster.change(resources.VMIS, "team/vm-0", phase="Failed")
    cluster.remove(resources.VMIS, "team/vm-0")
    cluster.wait(100)
    assert cluster.report().continuity.interruption_seconds == 100
    cluster.change(resources.VMS, "team/vm-0", run_strategy="Halted")
    cluster.wait(100)
    assert cluster.report().continuity.interruption_seconds == 100


@pytest.mark.parametrize("late", [False, True])
def test_a_stop_request_is_asked_for_in_whichever_order_it_is_learnt(late: bool) -> None:  # noqa: FBT001
    """Streams of two resources are not ordered against each other."""
    cluster = upgrading()
    if not late:
        cluster.change(resources.VMS, "team/vm-0", stop_requests=("vmi-vm-0",))
    cluster.change(resources.VMIS, "team/vm-0", phase="Succeeded")
    if late:
        cluster.wait(4)
        cluster.change(resources.VMS, "team/vm-0", stop_requests=("vmi-vm-0",))
    cluster.change(resources.VMS, "team/vm-0", stop_requests=())
    come_back(cluster, "vm-0")
    cluster.wait(40)
    assert (cluster.report().continuity.asked, cluster.report().continuity.interrupted.total) == (1, 0)


def test_halting_a_vm_that_has_already_failed_does_not_excuse_the_failure() -> None:
    """What came first, came first."""
    cluster = upgrading()
    cluster.change(resources.VMIS, "team/vm-0", phase="Failed")
    cluster.wait(15)
    cluster.change(resources.VMS, "team/vm-0", run_strategy="Halted")
    cluster.wait(40)
    assert cluster.report().continuity.interrupted.total == 1


def test_a_deleted_vm_is_asked_for() -> None:
    """Its guest goes with it."""
    cluster = upgrading()
    cluster.change(resources.VMIS, "team/vm-0", deleted=cluster.now)
    cluster.change(resources.VMS, "team/vm-0", deleted=cluster.now)
    cluster.remove(resources.VMIS, "team/vm-0")
    cluster.remove(resources.VMS, "team/vm-0")
    cluster.wait(40)
    assert (cluster.report().continuity.asked, cluster.report().continuity.interrupted.total) == (1, 0)


def test_a_guest_that_shuts_down_from_inside_is_shown_and_not_charged() -> None:
    """Somebody typed poweroff."""
    cluster = upgrading()
    cluster.change(resources.VMIS, "team/vm-0", phase="Succeeded")
    cluster.wait(40)
    assert cluster.report().continuity.interrupted.total == 0
    assert cluster.samples()["session_vmi_stops", ("guest_shutdown",)] == 1


def test_a_vmi_deleted_by_hand_is_shown_and_not_charged() -> None:
    """Kubectl delete vmi: the VM starts it again."""
    cluster = upgrading()
    cluster.change(resources.VMIS, "team/vm-0", deleted=cluster.now)
    cluster.wait(5)
    cluster.change(resources.VMIS, "team/vm-0", phase="Succeeded")
    come_back(cluster, "vm-0")
    cluster.wait(40)
    assert cluster.report().continuity.interrupted.total == 0
    assert cluster.samples()["session_vmi_stops", ("vmi_deleted",)] == 1


def test_a_completed_migration_is_no_interruption() -> None:
    """Same UID, other node, the old launcher ends."""
    cluster = upgrading()
    cluster.control_plane()
    cluster.migrate("vm-0")
    cluster.wait(90)
    continuity = cluster.report().continuity
    assert (continuity.migrated, continuity.interrupted.total, continuity.duplicate_launchers) == (1, 0, 0)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"terminated": "OOMKilled", "running": False, "phase": "Failed"}, "out_of_memory"),
        ({"disrupted": "EvictionByEvictionAPI"}, "evicted"),
        ({"reason": "Evicted", "phase": "Failed", "running": False}, "evicted"),
    ],
)
def test_the_launcher_says_why(fields: dict[str, Any], reason: str) -> None:
    """Its end is the best witness."""
    cluster = upgrading()
    cluster.change(resources.VMIS, "team/vm-0", phase="Failed")
    cluster.change(resources.LAUNCHERS, "team/virt-launcher-vm-0-0", **fields)
    cluster.wait(40)
    assert cluster.report().continuity.interrupted.by_reason == {reason: 1}


def test_an_eviction_is_an_interruption_even_if_the_guest_shut_down_cleanly() -> None:
    """Nobody who owns the VM asked for it."""
    cluster = upgrading()
    cluster.change(
        resources.LAUNCHERS, "team/virt-launcher-vm-0-0", disrupted="EvictionByEvictionAPI", deleted=cluster.now
    )
    cluster.change(resources.VMIS, "team/vm-0", phase="Succeeded")
    cluster.wait(40)
    assert cluster.report().continuity.interrupted.by_reason == {"evicted": 1}


def test_the_evict_update_method_has_a_reason_of_its_own_and_does_not_fail_the_session() -> None:
    """Its guests are meant to be restarted."""
    cluster = upgrading(methods=("LiveMigrate", "Evict"))
    cluster.change(resources.VMIS, "team/vm-0", migratable=False, not_migratable="DisksNotLiveMigratable")
    cluster.control_plane()
    cluster.change(
        resources.LAUNCHERS, "team/virt-launcher-vm-0-0", disrupted="EvictionByEvictionAPI", deleted=cluster.now
    )
    cluster.change(resources.VMIS, "team/vm-0", phase="Succeeded")
    cluster.remove(resources.VMIS, "team/vm-0")
    cluster.put(resources.VMIS, cluster.vmi("vm-0", uid="second", launcher_image=image("virt-launcher", NEW)))
    cluster.wait(40)
    assert cluster.report().continuity.interrupted.by_reason == {"workload_update": 1}
    assert cluster.report().verdict is None


def test_a_lost_node_explains_its_guests() -> None:
    """And the node is counted."""
    cluster = upgrading()
    cluster.change(resources.NODES, "node-0", ready=None)
    cluster.wait(300)
    cluster.change(resources.VMIS, "team/vm-0", phase="Failed", reason="NodeUnresponsive")
    cluster.wait(40)
    assert cluster.report().continuity.interrupted.by_reason == {"node_lost": 1}
    assert cluster.samples()["session_nodes_disrupted", ("lost",)] == 1


def test_a_new_uid_found_in_a_gap_cannot_be_settled() -> None:
    """Somebody may have asked, and nobody was looking: the verdict says so."""
    cluster = upgrading()
    cluster.put(resources.VMIS, cluster.vmi("vm-0", uid="second"), unseen=True)
    cluster.wait(3)
    cluster.relist(resources.VMIS)
    cluster.wait(40)
    assert (cluster.report().continuity.unattributed, cluster.report().continuity.interrupted.total) == (1, 0)
    assert cluster.report().verdict_so_far is Verdict.INCONCLUSIVE


def test_a_restart_of_which_only_the_launcher_was_seen_cannot_be_settled() -> None:
    """Deleting a VMI deletes its launcher: with the VMI's own end in a gap, that says nothing about the cause."""
    cluster = upgrading()
    cluster.change(resources.LAUNCHERS, "team/virt-launcher-vm-0-0", deleted=cluster.now + 90)
    cluster.put(resources.VMIS, cluster.vmi("vm-0", uid="second"), unseen=True)
    cluster.wait(3)
    cluster.relist(resources.VMIS)
    cluster.wait(40)
    assert (cluster.report().continuity.unattributed, cluster.report().continuity.interrupted.total) == (1, 0)


def test_a_failure_found_in_a_gap_is_an_interruption() -> None:
    """The phase explains the gap completely."""
    cluster = upgrading()
    cluster.change(resources.VMIS, "team/vm-0", phase="Failed", unseen=True)
    cluster.relist(resources.VMIS)
    cluster.wait(40)
    assert cluster.report().continuity.interrupted.by_reason == {"failed": 1}


def test_a_guest_that_never_ran_loses_nothing() -> None:
    """A VMI that fails to start is no interruption."""
    cluster = upgrading()
    cluster.put(resources.VMIS, cluster.vmi("vm-9", phase="Scheduling"))
    cluster.change(resources.VMIS, "team/vm-9", phase="Failed")
    cluster.wait(40)
    assert cluster.report().continuity.interrupted.total == 0


def test_two_launchers_for_over_a_minute_are_a_duplicate() -> None:
    """Once, however long it lasts; and while it lasts the gauge shows it."""
    cluster = upgrading()
    cluster.put(resources.LAUNCHERS, cluster.launcher("vm-0", "vmi-vm-0", serial=7, node="node-1"))
    cluster.wait(59)
    assert cluster.report().continuity.duplicate_launchers == 0
    cluster.wait(2)
    assert cluster.report().continuity.duplicate_launchers == 1
    assert cluster.samples()["vmis_duplicate_launchers", ()] == 1
    cluster.wait(600)
    assert cluster.report().continuity.duplicate_launchers == 1
    cluster.change(resources.LAUNCHERS, "team/virt-launcher-vm-0-7", running=False, phase="Succeeded")
    assert cluster.samples()["vmis_duplicate_launchers", ()] == 0
    assert cluster.report().verdict is Verdict.FAILED


@pytest.mark.parametrize("resource", [resources.LAUNCHERS, resources.MIGRATIONS])
def test_two_launchers_are_not_judged_while_what_would_explain_them_is_not_seen(resource: str) -> None:
    """The minute begins when it is seen again: a launcher that has gone meanwhile, or a migration, is no duplicate."""
    cluster = upgrading()
    cluster.put(resources.LAUNCHERS, cluster.launcher("vm-0", "vmi-vm-0", serial=7, node="node-1"))
    cluster.wait(10)
    cluster.sync(resource, Sync.INTERRUPTED)
    cluster.wait(600)
    assert cluster.report().continuity.duplicate_launchers == 0
    cluster.relist(resource)
    cluster.wait(59)
    assert cluster.report().continuity.duplicate_launchers == 0
    cluster.wait(2)
    assert cluster.report().continuity.duplicate_launchers == 1


def test_nobody_knows_of_duplicates_who_may_not_see_migrations() -> None:
    cluster = upgrading()
    assert cluster.samples()["vmis_duplicate_launchers", ()] == 0
    cluster.sync(resources.MIGRATIONS, Sync.FORBIDDEN)
    assert ("vmis_duplicate_launchers", ()) not in cluster.samples()


def test_a_launcher_that_went_while_the_watch_was_cut_is_no_duplicate() -> None:
    cluster = upgrading()
    cluster.put(resources.LAUNCHERS, cluster.launcher("vm-0", "vmi-vm-0", serial=7, node="node-1"))
    cluster.sync(resources.LAUNCHERS, Sync.INTERRUPTED)
    cluster.change(resources.LAUNCHERS, "team/virt-launcher-vm-0-0", unseen=True, running=False, phase="Succeeded")
    cluster.wait(600)
    cluster.relist(resources.LAUNCHERS)
    cluster.wait(600)
    assert cluster.report().continuity.duplicate_launchers == 0


def test_a_duplicate_stays_one_while_the_watch_is_cut_and_is_counted_once() -> None:
    cluster = upgrading()
    cluster.put(resources.LAUNCHERS, cluster.launcher("vm-0", "vmi-vm-0", serial=7, node="node-1"))
    cluster.wait(61)
    cluster.sync(resources.LAUNCHERS, Sync.INTERRUPTED)
    cluster.wait(10)
    assert cluster.samples()["vmis_duplicate_launchers", ()] == 1
    cluster.relist(resources.LAUNCHERS)
    cluster.wait(600)
    assert cluster.samples()["vmis_duplicate_launchers", ()] == 1
    assert cluster.report().continuity.duplicate_launchers == 1


def test_a_migration_under_way_explains_two_launchers() -> None:
    """The minute begins when it is over."""
    cluster = upgrading()
    cluster.put(resources.MIGRATIONS, cluster.migration("m", "vm-0"))
    cluster.put(resources.LAUNCHERS, cluster.launcher("vm-0", "vmi-vm-0", serial=7, node="node-1"))
    cluster.wait(500)
    cluster.change(resources.MIGRATIONS, "team/m", phase="Succeeded")
    cluster.wait(59)
    assert cluster.report().continuity.duplicate_launchers == 0
    cluster.wait(2)
    assert cluster.report().continuity.duplicate_launchers == 1


def test_a_launcher_within_its_grace_is_no_duplicate() -> None:
    """It is on its way out."""
    cluster = upgrading()
    cluster.change(resources.LAUNCHERS, "team/virt-launcher-vm-0-0", deleted=cluster.now + 90)
    cluster.put(resources.LAUNCHERS, cluster.launcher("vm-0", "vmi-vm-0", serial=7, node="node-1"))
    cluster.wait(149)
    assert cluster.report().continuity.duplicate_launchers == 0
    cluster.wait(2)
    assert cluster.report().continuity.duplicate_launchers == 1


def test_interruptions_outside_sessions_are_counted_but_belong_to_none() -> None:
    """The monotonic counter tells; a session's account begins empty."""
    cluster = Cluster().list_all()
    cluster.change(resources.VMIS, "team/vm-0", phase="Failed")
    cluster.wait(40)
    cluster.begin_upgrade()
    assert cluster.samples()["vmi_interruptions_total", ("failed",)] == 1
    assert cluster.report().continuity.interrupted.total == 0


def test_anomalies_are_named_up_to_a_limit_and_counted_beyond() -> None:
    """A thousand failed guests do not make a thousand series."""
    cluster = Cluster(guests=120).list_all()
    cluster.begin_upgrade()
    for n in range(120):
        cluster.change(resources.VMIS, f"team/vm-{n}", phase="Failed")
    cluster.wait(40)
    continuity = cluster.report().continuity
    assert (continuity.interrupted.total, len(continuity.anomalies), continuity.anomalies_dropped) == (120, 100, 20)


def test_guests_lost_while_we_were_dead_are_found_by_their_creation_time() -> None:
    """And the time in which nobody looked is shown."""
    cluster = Cluster(guests=3).list_all()
    cluster.change(resources.VMIS, "team/vm-2", phase="Failed")
    cluster.begin_upgrade()
    cluster.now += 5
    cluster.put(resources.VMIS, cluster.vmi("vm-0", uid="second", created=cluster.now), unseen=True)
    cluster.put(resources.VMIS, cluster.vmi("vm-2", uid="second", created=cluster.now), unseen=True)
    cluster.restart(blind=20)
    cluster.wait(40)
    assert cluster.report().continuity.unattributed == 1
    assert [a.name for a in cluster.report().continuity.anomalies] == ["vm-0"]
    assert cluster.report().continuity.unobserved_seconds >= 20


def test_a_case_open_at_a_restart_is_judged_after_it() -> None:
    """Nothing is lost, and nothing is counted twice."""
    cluster = upgrading()
    cluster.change(resources.VMIS, "team/vm-0", phase="Failed")
    cluster.wait(5)
    cluster.restart(blind=10)
    cluster.wait(40)
    assert cluster.report().continuity.interrupted.by_reason == {"failed": 1}
