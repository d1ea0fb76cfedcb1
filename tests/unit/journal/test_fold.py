"""What the journal needs of the fold: closing a session, continuing one, resting between two, inheriting."""

import pytest

from exporter.fold import Fold
from exporter.model import resources
from exporter.model.changes import SessionClosed
from exporter.model.report import Phase, Report, Verdict
from exporter.model.store import Store
from tests.cluster import NEW, OLD, Cluster


def under_way() -> Cluster:
    cluster = Cluster(guests=3).list_all()
    cluster.wait(30)
    cluster.begin_upgrade()
    return cluster


def finished() -> Cluster:
    cluster = under_way()
    cluster.control_plane()
    for name in ("vm-0", "vm-1", "vm-2"):
        cluster.migrate(name)
    cluster.wait(1000)
    assert cluster.report().phase is Phase.COMPLETED
    return cluster


# --- closing


def test_a_closed_session_is_over_and_does_not_begin_again() -> None:
    """The target is still another than what runs; only a new one is a new session."""
    cluster = under_way()
    cluster.fold.feed(SessionClosed(at=cluster.now))
    report = cluster.report()
    assert (report.phase, report.ended_at, report.verdict) == (Phase.CLOSED, cluster.now, Verdict.INCONCLUSIVE)
    assert [finding.check for finding in report.findings] == ["closed"]
    cluster.roll("virt-handler", NEW)
    cluster.restart(blind=5)
    cluster.wait(60)
    assert not cluster.fold.active
    cluster.put(resources.KUBEVIRTS, cluster.kubevirt(target=OLD, observed=OLD))
    assert [r.to_version for r in cluster.fold.reports(cluster.now)] == [NEW, OLD]


def test_closing_between_sessions_does_nothing() -> None:
    cluster = finished()
    before = cluster.report()
    cluster.fold.feed(SessionClosed(at=cluster.now + 5))
    assert cluster.report() == before


# --- between sessions


def test_a_restart_between_sessions_leaves_the_last_report_as_it_is() -> None:
    """Weeks may have passed: what has happened since is not the session's business, and nobody's loss."""
    cluster = finished()
    before, samples = cluster.report(), cluster.samples()
    cluster.now += 1_000_000
    cluster.put(resources.VMIS, cluster.vmi("vm-0", uid="another", created=cluster.now - 500), unseen=True)
    cluster.restart(blind=100)
    cluster.wait(60)
    assert cluster.report() == before
    after = cluster.samples()
    session = {key: value for key, value in samples.items() if key[0].startswith("session_")}
    assert {key: after.get(key) for key in session} == session
    assert after["vmi_losses_unattributed_total", ()] == 0


def test_a_session_that_began_between_two_lives_was_not_seen_to_begin() -> None:
    cluster = finished()
    cluster.put(resources.DEPLOYMENTS, cluster.workload("virt-operator", OLD), unseen=True)
    cluster.put(resources.KUBEVIRTS, cluster.kubevirt(target=OLD, observed=NEW, operator=OLD), unseen=True)
    cluster.restart(blind=100)
    assert cluster.fold.active
    assert cluster.report().continuity.baseline is None


def test_a_cut_after_the_end_is_not_the_sessions_blind_time() -> None:
    cluster = finished()
    state = cluster.fold.snapshot()
    fold = Fold(cluster.settings, exporter_version="test")
    fold.restore(state)
    assert fold.reports(cluster.now + 5000)[-1].continuity.unobserved_seconds == 0


# --- inheriting


def test_a_newcomer_goes_on_where_the_other_stopped() -> None:
    """Its snapshot was of no use, but its report can be read: what it counted still counts."""
    cluster = under_way()
    cluster.change(resources.VMIS, "team/vm-0", phase="Failed")
    cluster.wait(40)
    known = cluster.report()
    assert known.continuity.interrupted.total == 1
    cluster.fold = Fold(cluster.settings, exporter_version="test")
    cluster.now += 20
    for store in cluster.stores:
        cluster.stores[store] = type(cluster.stores[store])(store)
    cluster.list_all()
    assert cluster.report().continuity.interrupted.total == 0
    cluster.fold.inherit(known)
    cluster.change(resources.VMIS, "team/vm-1", phase="Failed")
    cluster.wait(40)
    report = cluster.report()
    assert report.continuity.interrupted.total == 2
    assert report.continuity.baseline == 3
    assert (report.started_at, report.verdict) == (known.started_at, Verdict.FAILED)
    assert report.continuity.unobserved_seconds == 20


def newcomer(cluster: Cluster, known: Report, *, after: float) -> Report:
    """A fold without a snapshot, that inherits what is known; and what it says."""
    cluster.now += after
    cluster.fold = Fold(cluster.settings, exporter_version="test")
    cluster.stores = {name: Store(name) for name in cluster.stores}
    cluster.list_all()
    cluster.fold.inherit(known)
    return cluster.report()


def heir(cluster: Cluster, known: Report, *, after: float) -> Report:
    """A fold that goes on from the last one's snapshot and report, as after a restart; and what it says."""
    state = cluster.fold.snapshot()
    cluster.now += after
    cluster.fold = Fold(cluster.settings, exporter_version="test")
    cluster.fold.restore(state)
    cluster.fold.inherit(known)
    cluster.stores = {name: Store(name) for name in cluster.stores}
    cluster.list_all()
    return cluster.report()


def test_who_goes_on_from_a_newcomer_knows_what_that_one_was_told() -> None:
    """However often: nothing is forgotten, and nothing counted twice."""
    cluster = under_way()
    cluster.change(resources.VMIS, "team/vm-0", phase="Failed")
    cluster.wait(40)
    known = cluster.report()
    report = newcomer(cluster, known, after=20)
    for times in range(1, 4):
        cluster.wait(7)
        written = cluster.report()
        cluster.wait(0.5)  # a request takes its time, and the state is a little newer than the report
        report = heir(cluster, written, after=5)
        assert (report.started_at, report.from_version, report.kind) == (
            known.started_at, known.from_version, known.kind,
        )  # fmt: skip
        assert report.continuity.baseline == 3
        assert report.continuity.interrupted.total == 1
        assert report.continuity.unobserved_seconds == 20 + 5 * times


def test_a_newcomer_was_not_absent_since_another_replica_last_wrote() -> None:
    """It was absent before it came."""
    cluster = under_way()
    cluster.wait(40)
    known = cluster.report()
    assert newcomer(cluster, known, after=20).continuity.unobserved_seconds == 20
    written = cluster.report()
    cluster.wait(10)
    cluster.fold.inherit(written)
    assert cluster.report().continuity.unobserved_seconds == 20


def test_blind_seconds_of_a_finished_session_are_not_counted_again_at_each_restart() -> None:
    """Its beginning was not seen."""
    cluster = under_way()
    cluster.fold = Fold(cluster.settings, exporter_version="test")
    cluster.stores = {name: Store(name) for name in cluster.stores}
    cluster.list_all()
    cluster.restart(blind=25)
    cluster.control_plane()
    for name in ("vm-0", "vm-1", "vm-2"):
        cluster.migrate(name)
    cluster.wait(1000)
    over = cluster.report()
    assert over.phase is Phase.COMPLETED
    assert over.continuity.unobserved_seconds == 25
    for _ in range(2):
        cluster.wait(0.5)
        assert heir(cluster, over, after=100) == over


def test_what_was_inherited_ends_with_its_session() -> None:
    cluster = under_way()
    known = cluster.report()
    cluster.change(resources.VMIS, "team/vm-0", phase="Failed")
    cluster.wait(40)
    hurt = cluster.report()
    cluster.fold.inherit(known)
    assert cluster.report() == hurt
    cluster.roll("virt-handler", NEW)
    cluster.put(resources.KUBEVIRTS, cluster.kubevirt(target=OLD, observed=OLD, operator=NEW))
    first, second = cluster.fold.reports(cluster.now)
    assert first.continuity.interrupted.total == 1
    assert second.continuity.interrupted.total == 0


# --- blind time


@pytest.mark.parametrize("wait", [5.0, 70.0])
@pytest.mark.parametrize("skew", [-30.0, -0.9, 0.0, 30.0], ids=lambda skew: f"clock {skew:+g} s")
def test_instances_of_blind_time_are_found_whatever_the_clock_of_the_api_says(skew: float, wait: float) -> None:
    """Creation times have whole seconds and are of another clock; one guest is new, one has another instance."""
    cluster = under_way()
    cluster.put(resources.VMS, cluster.vm("fresh", created=cluster.now + skew))
    cluster.put(resources.VMIS, cluster.vmi("fresh", created=cluster.now + skew))
    cluster.wait(wait)
    born = int(cluster.now + 0.5 + skew)
    cluster.put(resources.VMIS, cluster.vmi("vm-0", uid="another", created=born), unseen=True)
    cluster.put(resources.VMS, cluster.vm("newborn", created=born), unseen=True)
    cluster.put(resources.VMIS, cluster.vmi("newborn", created=born), unseen=True)
    cluster.restart(blind=20)
    cluster.wait(40)
    assert [(a.name, a.kind) for a in cluster.report().continuity.anomalies] == [("vm-0", "unattributed")]


@pytest.mark.parametrize("wait", [0.0, 5.0, 40.0])
@pytest.mark.parametrize("skew", [-30.0, 0.0, 30.0])
def test_migrations_of_blind_time_are_counted_whatever_the_clock_of_the_api_says(skew: float, wait: float) -> None:
    """One began and ended in it; those that ended before are not counted again."""
    cluster = under_way()
    for number in range(3):
        cluster.wait(wait)
        made = int(cluster.now + skew)
        cluster.put(resources.MIGRATIONS, cluster.migration(f"seen-{number}", f"vm-{number}", created=made))
        cluster.change(resources.MIGRATIONS, f"team/seen-{number}", phase="Succeeded")
    assert cluster.report().migrations.succeeded == 3
    made = int(cluster.now + 0.5 + skew)
    unseen = cluster.migration("unseen", "vm-2", created=made, phase="Succeeded")
    cluster.put(resources.MIGRATIONS, unseen, unseen=True)
    for _ in range(3):
        cluster.restart(blind=20)
        assert cluster.report().migrations.succeeded == 4


def test_a_loss_in_the_last_blind_seconds_of_a_session_is_charged_to_it() -> None:
    """It is over when we look again, but not before that has been judged."""
    cluster = under_way()
    cluster.control_plane()
    for name in ("vm-0", "vm-1", "vm-2"):
        cluster.migrate(name)
    cluster.wait(880)
    assert cluster.fold.active
    cluster.put(resources.VMIS, cluster.vmi("vm-0", uid="another", created=cluster.now + 2), unseen=True)
    cluster.restart(blind=100)
    assert cluster.fold.active
    cluster.wait(40)
    report = cluster.report()
    assert (report.phase, report.continuity.unattributed) == (Phase.COMPLETED, 1)
    assert report.verdict is not Verdict.PASSED
    assert report.ended_at is not None
    assert report.workloads_complete_at is not None
    assert report.ended_at == report.workloads_complete_at + 900


def test_the_cause_of_an_interruption_survives_a_restart_though_the_launcher_does_not() -> None:
    cluster = under_way()
    cluster.change(resources.LAUNCHERS, "team/virt-launcher-vm-0-0", disrupted="EvictionByEvictionAPI")
    cluster.change(resources.VMIS, "team/vm-0", phase="Failed")
    cluster.remove(resources.LAUNCHERS, "team/virt-launcher-vm-0-0", unseen=True)
    cluster.restart(blind=3)
    cluster.wait(40)
    assert cluster.report().continuity.interrupted.by_reason == {"evicted": 1}
