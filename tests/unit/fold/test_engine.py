"""The fold's own promises: deadlines at their time, failing concerns kept apart, only snapshots that are ours."""

from collections.abc import Callable
from typing import Any

import pytest

from exporter.fold import Fold
from exporter.model import resources
from exporter.model.changes import Sync
from exporter.model.report import SloState, Verdict
from exporter.settings import Settings
from tests.cluster import NAMESPACE, NEW, OLD, Cluster, image


def test_a_concern_that_fails_costs_only_itself() -> None:
    """Its families are missing and the verdict cannot be a pass; everything else goes on."""
    cluster = Cluster().list_all()
    broken: Any = "no time at all"
    cluster.change(resources.LEASES, f"{NAMESPACE}/virt-controller", renewed=broken, holder="virt-controller-1")
    cluster.objects[resources.LEASES].clear()
    cluster.begin_upgrade()
    cluster.control_plane()
    cluster.migrate("vm-0")
    cluster.migrate("vm-1")
    failing = []
    for source in cluster.fold.sources():
        try:
            list(source.samples(cluster.now))
        except TypeError:
            failing.append(source.name)
    assert failing == ["leadership"]
    assert cluster.report().migrations.succeeded == 2
    assert cluster.report().verdict_so_far is Verdict.INCONCLUSIVE
    assert cluster.report().findings[0].check == "broken"


def updated() -> Cluster:
    """A cluster whose control plane and guests are at the target."""
    cluster = Cluster().list_all()
    cluster.begin_upgrade()
    cluster.control_plane()
    cluster.migrate("vm-0")
    cluster.migrate("vm-1")
    return cluster


def test_deadlines_are_fired_at_their_own_time_whenever_the_next_change_comes() -> None:
    """A tick carries the deadline's time, so a slow feeder gives the same answer as an eager one."""
    cluster = updated()
    done = cluster.report().workloads_complete_at
    assert done is not None
    cluster.now += 100_000
    cluster.put(resources.LEASES, cluster.lease("virt-api", "x"))
    assert cluster.report().ended_at == done + 900


def upgraded() -> Cluster:
    """A cluster whose upgrade is over, and went well."""
    cluster = updated()
    cluster.wait(1_000)
    assert cluster.report().verdict is Verdict.PASSED
    return cluster


def test_after_its_end_nothing_changes_a_session(subtests: pytest.Subtests) -> None:
    """Neither what happens in the cluster, nor what we may no longer read, nor a concern that fails, nor a restart."""
    cluster = upgraded()
    report = cluster.report()
    events: dict[str, Callable[[], object]] = {
        "virt-handler on more nodes": lambda: cluster.put(
            resources.DAEMONSETS, cluster.workload("virt-handler", NEW, desired=50)
        ),
        "another operator": lambda: cluster.put(
            resources.KUBEVIRTS, cluster.kubevirt(target=NEW, observed=NEW, operator=OLD)
        ),
        "a guest that nobody will update": lambda: cluster.put(
            resources.VMIS,
            cluster.vmi("late", uid="late", migratable=False, launcher_image=image("virt-launcher", OLD)),
        ),
        "guests forbidden": lambda: cluster.sync(resources.VMIS, Sync.FORBIDDEN),
        "leases forbidden": lambda: cluster.sync(resources.LEASES, Sync.FORBIDDEN),
        "a restart": cluster.restart,
        "guests forbidden again": lambda: cluster.sync(resources.VMIS, Sync.FORBIDDEN),
    }
    for title, event in events.items():
        with subtests.test(title):
            event()
            cluster.now += 100
            cluster.put(resources.LEASES, cluster.lease("somebody", "else"))
            assert cluster.report() == report


def test_a_restart_forgets_no_budget_before_everything_is_listed_again() -> None:
    """A rollout that may take long, since there are many nodes, is not late because these are not listed yet."""
    cluster = Cluster()
    cluster.put(resources.DAEMONSETS, cluster.workload("virt-handler", OLD, desired=200), unseen=True)
    cluster.list_all()
    cluster.begin_upgrade()
    cluster.wait(800)
    before = next(slo for slo in cluster.report().slos if slo.slo == "rollout")
    assert before.consumed_ratio is not None
    assert 0 < before.consumed_ratio < 1
    fold = Fold(cluster.settings, exporter_version="test")
    fold.restore(cluster.fold.snapshot())
    report = fold.current(cluster.now)
    assert report is not None
    after = next(slo for slo in report.slos if slo.slo == "rollout")
    assert after.objective == before.objective
    assert after.consumed_ratio is not None
    assert after.consumed_ratio <= before.consumed_ratio


def test_without_a_virt_handler_nobody_can_say_how_long_a_rollout_may_take() -> None:
    """It is neither late nor in time."""
    cluster = Cluster()
    cluster.objects[resources.DAEMONSETS].clear()
    cluster.list_all()
    cluster.begin_upgrade()
    cluster.wait(10_000)
    rollout = next(slo for slo in cluster.report().slos if slo.slo == "rollout")
    assert rollout.objective.startswith("complete within 900 s and more (nodes of virt-handler not known)")
    assert rollout.state is not SloState.MET


@pytest.mark.parametrize("state", [{"version": 99}, {}, {"version": 1}, {"version": 1, "last": "soon", "tracker": {}}])
def test_a_snapshot_that_is_not_ours_is_refused(state: dict[str, Any]) -> None:
    """Whoever restores takes a new fold then."""
    with pytest.raises((ValueError, KeyError, TypeError)):
        Fold(Settings(), exporter_version="test").restore(state)
