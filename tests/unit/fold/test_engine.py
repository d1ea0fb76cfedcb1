"""The fold's own promises: deadlines at their time, failing concerns kept apart, only snapshots that are ours."""

from typing import Any

import pytest

from exporter.fold import Fold
from exporter.model import resources
from exporter.model.report import Verdict
from exporter.settings import Settings
from tests.cluster import NAMESPACE, Cluster


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


def test_deadlines_are_fired_at_their_own_time_whenever_the_next_change_comes() -> None:
    """A tick carries the deadline's time, so a slow feeder gives the same answer as an eager one."""
    cluster = Cluster().list_all()
    cluster.begin_upgrade()
    cluster.control_plane()
    cluster.migrate("vm-0")
    cluster.migrate("vm-1")
    done = cluster.report().workloads_complete_at
    assert done is not None
    cluster.now += 100_000
    cluster.put(resources.LEASES, cluster.lease("virt-api", "x"))
    assert cluster.report().ended_at == done + 900


@pytest.mark.parametrize("state", [{"version": 99}, {}, {"version": 1}, {"version": 1, "last": "soon", "tracker": {}}])
def test_a_snapshot_that_is_not_ours_is_refused(state: dict[str, Any]) -> None:
    """Whoever restores takes a new fold then."""
    with pytest.raises((ValueError, KeyError, TypeError)):
        Fold(Settings(), exporter_version="test").restore(state)
