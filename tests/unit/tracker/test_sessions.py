"""When a session begins, moves and ends (design §3)."""

import msgspec

from exporter.model import resources
from exporter.model.changes import Sync
from exporter.model.report import Phase, SessionKind, Verdict
from exporter.settings import Settings, Thresholds
from tests.cluster import EPOCH, IDS, NAMESPACE, NEW, OLD, Cluster


def test_a_quiet_cluster_has_no_session() -> None:
    """Nothing moves, nothing is reported, and the page says idle."""
    cluster = Cluster().list_all()
    cluster.wait(1000)
    assert cluster.fold.reports(cluster.now) == []
    assert cluster.samples()["in_progress", ()] == 0
    assert cluster.samples()["phase", ("idle",)] == 1


def test_nothing_is_said_before_every_deciding_resource_is_listed() -> None:
    """Unknown is not zero: no in_progress sample either."""
    cluster = Cluster().list_all(without=(resources.VMIS,))
    assert ("in_progress", ()) not in cluster.samples()
    cluster.relist(resources.VMIS)
    assert cluster.samples()["in_progress", ()] == 0


def test_a_new_operator_template_begins_a_session_before_the_cr_says_anything() -> None:
    """The KubeVirt CR keeps silent for 45 s (recordings)."""
    cluster = Cluster().list_all()
    cluster.wait(10)
    cluster.put(resources.DEPLOYMENTS, cluster.workload("virt-operator", NEW))
    report = cluster.report()
    assert (report.from_version, report.to_version, report.kind) == (OLD, NEW, SessionKind.UPGRADE)
    assert (report.phase, report.started_at, report.deployment_id) == (Phase.PREPARING, cluster.now, None)
    assert report.continuity.baseline == 2


def test_the_whole_way_of_an_upgrade() -> None:
    """Phases, both completions, the components' rollouts, the end 15 min after the last guest."""
    cluster = Cluster().list_all()
    cluster.begin_upgrade()
    assert cluster.report().deployment_id == IDS[NEW]
    cluster.put(resources.DAEMONSETS, cluster.workload("virt-handler", NEW))
    assert cluster.report().phase is Phase.CONTROL_PLANE
    cluster.control_plane()
    report = cluster.report()
    assert report.observed_complete_at is not None
    assert report.reported_complete_at == cluster.now
    assert report.observed_complete_at == cluster.now - 5
    assert (report.phase, report.progress, report.migrations.outdated) == (Phase.WORKLOADS, 1.0, 2)
    cluster.migrate("vm-0")
    cluster.migrate("vm-1")
    done = cluster.report().workloads_complete_at
    assert done is not None
    assert cluster.report().phase is Phase.SETTLING
    assert cluster.report().verdict is None
    assert cluster.report().verdict_so_far is Verdict.PASSED
    cluster.wait(899 - (cluster.now - done))
    assert cluster.report().phase is Phase.SETTLING
    cluster.wait(10)
    report = cluster.report()
    assert (report.phase, report.ended_at, report.verdict) == (Phase.COMPLETED, done + 900, Verdict.PASSED)
    assert [c.name for c in report.components] == ["virt-operator", "virt-handler", "virt-controller", "virt-api"]
    assert all(c.completed_at is not None and c.from_version == OLD and c.to_version == NEW for c in report.components)
    assert (report.migrations.succeeded, report.continuity.interrupted.total) == (2, 0)
    assert report.migrations.outdated == 0


def test_old_pods_keep_a_rollout_from_being_complete() -> None:
    """KubeVirt is content with one ready pod; we are not."""
    cluster = Cluster().list_all()
    cluster.begin_upgrade()
    for component in ("virt-handler", "virt-controller"):
        cluster.roll(component, NEW)
    cluster.put(resources.DEPLOYMENTS, cluster.workload("virt-api", NEW))
    cluster.remove(resources.PODS, f"{NAMESPACE}/virt-api-0")
    cluster.put(resources.PODS, cluster.pod("virt-api-new", "virt-api", NEW))
    cluster.put(resources.KUBEVIRTS, cluster.kubevirt(target=NEW, observed=NEW, operator=NEW))
    assert cluster.report().reported_complete_at == cluster.now
    assert cluster.report().observed_complete_at is None
    cluster.wait(10)
    cluster.replace_pods("virt-api", NEW)
    assert cluster.report().observed_complete_at == cluster.now


def test_a_leader_that_is_an_old_pod_keeps_the_rollout_from_being_complete() -> None:
    """Control has not been handed over."""
    cluster = Cluster().list_all()
    cluster.begin_upgrade()
    cluster.control_plane()
    at = cluster.report().observed_complete_at
    other = Cluster().list_all()
    other.begin_upgrade()
    for component in ("virt-handler", "virt-controller"):
        other.roll(component, NEW)
    other.put(resources.LEASES, other.lease("virt-controller", "virt-controller-0"))
    other.roll("virt-api", NEW)
    assert at is not None
    assert other.report().observed_complete_at is None


def test_a_second_target_supersedes_the_first_session() -> None:
    """The first one's report stays in the history."""
    cluster = Cluster().list_all()
    cluster.begin_upgrade()
    cluster.control_plane()
    cluster.migrate("vm-0")
    cluster.migrate("vm-1")
    cluster.put(resources.KUBEVIRTS, cluster.kubevirt(target=OLD, observed=NEW, operator=NEW))
    first, second = cluster.fold.reports(cluster.now)
    assert (first.phase, first.verdict, first.ended_at) == (Phase.SUPERSEDED, Verdict.PASSED, cluster.now)
    assert (second.kind, second.from_version, second.to_version) == (SessionKind.ROLLBACK, NEW, OLD)
    assert second.started_at == cluster.now


def test_taking_back_an_unfinished_upgrade_is_a_rollback_although_the_ids_are_equal() -> None:
    """The CR says target = observed again; only the workloads tell."""
    cluster = Cluster().list_all()
    cluster.begin_upgrade()
    cluster.roll("virt-handler", NEW)
    cluster.put(resources.KUBEVIRTS, cluster.kubevirt(target=OLD, observed=OLD, operator=NEW))
    first, second = cluster.fold.reports(cluster.now)
    assert (first.phase, first.verdict) == (Phase.SUPERSEDED, Verdict.INCONCLUSIVE)
    assert (second.kind, second.from_version, second.to_version) == (SessionKind.ROLLBACK, NEW, OLD)
    cluster.wait(10)
    cluster.roll("virt-handler", OLD)
    assert cluster.report().observed_complete_at == cluster.now


def test_a_target_taken_back_before_anything_moved_ends_the_session() -> None:
    """Nothing differs any more, so there is nothing to roll back."""
    cluster = Cluster().list_all()
    cluster.put(resources.KUBEVIRTS, cluster.kubevirt(target=NEW, observed=OLD))
    cluster.wait(10)
    cluster.put(resources.KUBEVIRTS, cluster.kubevirt(target=OLD, observed=OLD))
    reports = cluster.fold.reports(cluster.now)
    assert [r.phase for r in reports] == [Phase.SUPERSEDED]
    assert cluster.samples()["in_progress", ()] == 0


def test_a_session_of_virt_operator_alone_is_dropped() -> None:
    """spec.imageTag pins the operands: the new operator obliges nobody."""
    cluster = Cluster().list_all()
    cluster.change(resources.KUBEVIRTS, f"{NAMESPACE}/kubevirt", image_tag=OLD)
    cluster.roll("virt-operator", NEW)
    cluster.wait(580)
    assert cluster.report().stalled == ()
    assert cluster.samples()["in_progress", ()] == 1
    cluster.wait(30)
    assert cluster.fold.reports(cluster.now) == []
    assert cluster.samples()["in_progress", ()] == 0


def test_an_upgrade_by_image_tag_leaves_the_operator_out_of_the_rollout() -> None:
    """Its pods stay as they are; progress counts the others only."""
    cluster = Cluster().list_all()
    cluster.put(resources.KUBEVIRTS, cluster.kubevirt(target=NEW, observed=OLD))
    assert cluster.report().progress == 0.0
    cluster.wait(20)
    cluster.control_plane()
    cluster.put(resources.KUBEVIRTS, cluster.kubevirt(target=NEW, observed=NEW, operator=OLD))
    assert cluster.report().observed_complete_at is not None
    assert "operator_version" in {f.check for f in cluster.report().findings}


def test_a_session_first_seen_under_way_starts_with_the_condition_and_has_no_baseline() -> None:
    """We cannot know how many guests ran before."""
    cluster = Cluster()
    moving = cluster.kubevirt(target=NEW, observed=OLD)
    moving = msgspec.structs.replace(
        moving, conditions=(msgspec.structs.replace(moving.conditions[0], since=EPOCH - 300),)
    )
    cluster.objects[resources.KUBEVIRTS][moving.key] = moving
    cluster.list_all()
    assert cluster.report().started_at == EPOCH - 300
    assert cluster.report().continuity.baseline is None


def test_the_first_installation_is_no_session() -> None:
    """There is nothing to upgrade from."""
    cluster = Cluster()
    installing = msgspec.structs.replace(cluster.kubevirt(), observed_id="", observed_version="", phase="Deploying")
    cluster.objects[resources.KUBEVIRTS][installing.key] = installing
    cluster.list_all()
    assert cluster.fold.reports(cluster.now) == []


def test_a_rollout_without_progress_is_stalled_after_five_minutes() -> None:
    """And it is the component whose turn it is, not those that wait for it."""
    cluster = Cluster().list_all()
    cluster.begin_upgrade()
    cluster.put(resources.DAEMONSETS, cluster.workload("virt-handler", NEW))
    cluster.remove(resources.PODS, f"{NAMESPACE}/virt-handler-0")
    cluster.put(resources.PODS, cluster.pod("virt-handler-new", "virt-handler", NEW, ready=False))
    cluster.wait(299)
    assert cluster.report().stalled == ()
    cluster.wait(2)
    assert cluster.report().stalled == ("virt-handler",)
    assert cluster.report().verdict_so_far is Verdict.INCONCLUSIVE
    cluster.wait(600)
    assert cluster.report().verdict is Verdict.FAILED
    cluster.change(resources.PODS, f"{NAMESPACE}/virt-handler-new", ready=True)
    assert cluster.report().stalled == ()
    assert cluster.report().verdict is Verdict.FAILED


def test_an_old_pod_within_its_grace_stops_the_clock() -> None:
    """virt-handler may take 330 s to let migrations finish: slow is not stalled."""
    cluster = Cluster().list_all()
    cluster.begin_upgrade()
    cluster.put(resources.DAEMONSETS, cluster.workload("virt-handler", NEW))
    cluster.change(resources.PODS, f"{NAMESPACE}/virt-handler-0", deleted=cluster.now + 330)
    cluster.wait(500)
    assert cluster.report().stalled == ()
    cluster.wait(131)
    assert cluster.report().stalled == ("virt-handler",)


def test_an_operator_that_is_not_followed_is_a_stall() -> None:
    """Without spec.imageTag the operands must follow; nothing has been set as a target after five minutes."""
    cluster = Cluster().list_all()
    cluster.roll("virt-operator", NEW)
    cluster.wait(301)
    assert cluster.report().stalled == ("virt-handler",)


def test_workloads_are_given_up_after_their_limit() -> None:
    """A guest that never gets its new launcher does not keep the session open for ever."""
    settings = Settings(thresholds=Thresholds(workloads_limit=3600.0))
    cluster = Cluster(settings=settings).list_all()
    cluster.begin_upgrade()
    cluster.control_plane()
    cluster.wait(3601)
    assert cluster.report().phase is Phase.SETTLING
    assert cluster.report().workloads_complete_at is None
    cluster.wait(900)
    assert cluster.report().phase is Phase.COMPLETED


def test_a_guest_that_cannot_migrate_is_stranded_and_keeps_nobody_waiting() -> None:
    """It is a warning, not a failure."""
    cluster = Cluster().list_all()
    cluster.change(resources.VMIS, "team/vm-1", migratable=False, not_migratable="InterfaceNotLiveMigratable")
    cluster.begin_upgrade()
    cluster.control_plane()
    cluster.migrate("vm-0")
    assert cluster.report().phase is Phase.SETTLING
    assert (cluster.report().migrations.outdated, cluster.report().migrations.stranded) == (1, 1)
    assert "stranded" in {f.check for f in cluster.report().findings}
    assert cluster.samples()["vmis_outdated", ("not_migratable",)] == 1


def test_a_guest_whose_migrations_keep_failing_becomes_stranded() -> None:
    """KubeVirt tries for ever; nobody should wait for it."""
    cluster = Cluster(guests=1).list_all()
    cluster.begin_upgrade()
    cluster.control_plane()
    for _ in range(5):
        assert cluster.report().phase is Phase.WORKLOADS
        cluster.migrate("vm-0", succeeds=False)
    assert cluster.report().phase is Phase.SETTLING
    assert cluster.samples()["vmis_outdated", ("migrations_failing",)] == 1
    assert (cluster.report().migrations.failed, cluster.report().migrations.stranded) == (5, 1)


def test_handlers_after_controllers_is_out_of_order() -> None:
    """The update path replaces virt-handler first (reference §2.2)."""
    cluster = Cluster().list_all()
    cluster.begin_upgrade()
    cluster.roll("virt-controller", NEW)
    cluster.wait(60)
    cluster.roll("virt-handler", NEW)
    assert "order" in {f.check for f in cluster.report().findings}


def test_skipping_a_minor_is_a_finding() -> None:
    """KubeVirt supports one minor at a time."""
    cluster = Cluster()
    for key, obj in list(cluster.objects[resources.KUBEVIRTS].items()):
        cluster.objects[resources.KUBEVIRTS][key] = msgspec.structs.replace(
            obj, observed_version="v1.2.0", target_version="v1.2.0"
        )
    cluster.list_all()
    cluster.put(resources.KUBEVIRTS, msgspec.structs.replace(cluster.kubevirt(target=NEW), observed_version="v1.2.0"))
    assert "path" in {f.check for f in cluster.report().findings}
    assert cluster.samples()["session_path_supported", ()] == 0
    assert cluster.samples()["session_minor_hops", ()] == 2


def test_time_out_of_sync_is_unobserved_only_when_it_was_long() -> None:
    """CRD updates cut the watches of every upgrade for a few seconds."""
    cluster = Cluster().list_all()
    cluster.begin_upgrade()
    cluster.sync(resources.VMIS, Sync.INTERRUPTED)
    cluster.wait(50)
    cluster.relist(resources.VMIS)
    assert cluster.report().continuity.unobserved_seconds == 0
    cluster.sync(resources.VMIS, Sync.INTERRUPTED)
    cluster.wait(30)
    cluster.sync(resources.VMS, Sync.INTERRUPTED)
    cluster.wait(370)
    assert cluster.report().continuity.unobserved_seconds == 400
    cluster.relist(resources.VMIS)
    cluster.wait(10)
    cluster.relist(resources.VMS)
    assert cluster.report().continuity.unobserved_seconds == 410


def test_a_forbidden_deciding_resource_makes_the_verdict_inconclusive() -> None:
    """No data is never a pass."""
    cluster = Cluster()
    del cluster.objects[resources.LEASES][f"{NAMESPACE}/virt-controller"]
    cluster.list_all(without=(resources.VMS,))
    cluster.sync(resources.VMS, Sync.FORBIDDEN)
    cluster.begin_upgrade()
    cluster.control_plane()
    cluster.migrate("vm-0")
    cluster.migrate("vm-1")
    assert cluster.report().phase is Phase.SETTLING
    assert cluster.report().verdict_so_far is Verdict.INCONCLUSIVE
    assert "not_permitted" in {f.check for f in cluster.report().findings}
