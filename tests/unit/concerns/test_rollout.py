"""Rollout: progress comes from workloads and pods; what is slow, waiting or unknown is not called stuck."""

import pathlib
from collections.abc import Iterator

import pytest

from exporter.concerns import rollout
from exporter.concerns.rollout import Rollout, leftovers, nodes
from exporter.model import resources
from exporter.model.changes import Sync
from exporter.model.objects import Condition, Object
from exporter.model.report import ComponentReport
from exporter.recording.reader import Recording
from exporter.settings import Settings
from exporter.tracker.sessions import Closed
from exporter.tracker.tracker import Tracker
from tests import builders
from tests.builders import API, CONTROLLER, HANDLER, NEW, OLD, OPERATOR
from tests.unit.concerns.streams import Stream

START = 10_000.0
NODES = ("a", "b", "c")


def everything(version: str = OLD) -> list[Object]:
    """A cluster with three nodes, all of one version; a guest on each node."""
    return [
        builders.kubevirt(version),
        builders.workload(OPERATOR, version, desired=1),
        builders.pod(OPERATOR, version=version),
        builders.workload(HANDLER, version, desired=len(NODES)),
        *(builders.pod(HANDLER, node, version) for node in NODES),
        *(builders.node(f"node-{node}", heartbeat=START - 60) for node in NODES),
        *(builders.vmi(node, version, node=f"node-{node}") for node in NODES),
        builders.workload(CONTROLLER, version, desired=1),
        builders.pod(CONTROLLER, version=version),
        builders.workload(API, version, desired=1),
        builders.pod(API, version=version),
    ]


def cluster(version: str = OLD) -> Stream[Rollout]:
    stream = Stream(Rollout(), now=START)
    stream.lists(*everything(version))
    return stream


def upgrading() -> Stream[Rollout]:
    """The new operator runs and the CR names its target."""
    stream = cluster()
    stream.put(builders.workload(OPERATOR, NEW, desired=1))
    stream.put(builders.pod(OPERATOR, "new", NEW))
    stream.drop(builders.pod(OPERATOR))
    stream.put(builders.kubevirt(NEW, OLD))
    assert stream.tracker.active
    return stream


def replace(stream: Stream[Rollout], component: str, name: str = "a") -> None:
    """A pod of the component is replaced by a new one that is ready 10 s later."""
    stream.drop(builders.pod(component, name))
    stream.now += 1
    stream.put(builders.pod(component, name, NEW, uid=f"new-{name}", ready=False))
    stream.now += 9
    stream.put(builders.pod(component, name, NEW, uid=f"new-{name}"))


def roll(stream: Stream[Rollout], component: str, *, desired: int = 1) -> None:
    """The component's whole rollout."""
    stream.put(builders.workload(component, NEW, desired=desired))
    for name in NODES[:desired]:
        replace(stream, component, name)


def part(stream: Stream[Rollout], component: str) -> ComponentReport:
    return next(p for p in stream.concern.report(stream.now, stream.tracker) if p.name == component)


# --- replicas and progress ---


def test_replicas_are_counted_against_the_target() -> None:
    stream = upgrading()
    stream.put(builders.workload(HANDLER, NEW, desired=3))
    replace(stream, HANDLER, "a")
    stream.put(builders.pod(HANDLER, "b", NEW, uid="b2", ready=False))
    replicas = stream.values(rollout.REPLICAS)
    assert {key[1]: value for key, value in replicas.items() if key[0] == HANDLER} == {
        "desired": 3,
        "updated": 2,
        "ready": 1,
        "old": 1,
    }
    assert replicas[API, "old"] == 1
    assert replicas[OPERATOR, "ready"] == 1


def test_between_sessions_replicas_are_those_of_the_target_reached() -> None:
    stream = cluster()
    stream.put(builders.pod(HANDLER, "a", ready=False))
    assert stream.value(rollout.REPLICAS, HANDLER, "updated") == 3
    assert stream.value(rollout.REPLICAS, HANDLER, "ready") == 2
    assert stream.value(rollout.REPLICAS, HANDLER, "old") == 0


@pytest.mark.parametrize("resource", [resources.PODS, resources.KUBEVIRTS])
def test_what_cannot_be_compared_is_not_counted(resource: str) -> None:
    stream = Stream(Rollout(), now=START)
    stream.lists(*everything(), without=[resource])
    stream.sync(resource, Sync.FORBIDDEN)
    assert {key for key in stream.values(rollout.REPLICAS) if key[0] == HANDLER} == {(HANDLER, "desired")}


def test_progress_never_goes_back() -> None:
    stream = upgrading()
    assert stream.value(rollout.PROGRESS) == pytest.approx(1 / 6)
    stream.put(builders.workload(HANDLER, NEW, desired=3))
    replace(stream, HANDLER, "a")
    replace(stream, HANDLER, "b")
    stream.put(builders.pod(HANDLER, "a", NEW, uid="new-a", ready=False))
    assert stream.value(rollout.PROGRESS) == pytest.approx(3 / 6)
    assert stream.value(rollout.COMPONENT_PROGRESS, HANDLER) == pytest.approx(2 / 3)
    assert stream.value(rollout.COMPONENT_PROGRESS, API) == 0
    assert stream.value(rollout.COMPONENT_PROGRESS, OPERATOR) == 1


def test_without_a_session_there_is_no_progress() -> None:
    stream = cluster()
    for family in (rollout.PROGRESS, rollout.COMPONENT_PROGRESS, rollout.STATE, rollout.STAGE, rollout.OUT_OF_ORDER):
        assert stream.values(family) == {}
    assert stream.concern.report(stream.now, stream.tracker) == ()


# --- states ---


def test_a_component_is_pending_until_its_workload_moves_and_done_when_all_its_pods_are_ready() -> None:
    stream = upgrading()
    assert [stream.state(rollout.STATE, c) for c in (OPERATOR, HANDLER, API)] == ["done", "pending", "pending"]
    stream.put(builders.workload(HANDLER, NEW, desired=3))
    assert [stream.state(rollout.STATE, c) for c in (HANDLER, API)] == ["rolling", "pending"]
    for name in NODES:
        assert stream.state(rollout.STATE, HANDLER) == "rolling"
        replace(stream, HANDLER, name)
    assert stream.state(rollout.STATE, HANDLER) == "done"
    stream.put(builders.pod(HANDLER, "a", NEW, uid="new-a", ready=False))
    assert stream.state(rollout.STATE, HANDLER) == "done"  # it was; replicas show what is


def test_only_the_component_whose_turn_it_is_can_be_stalled() -> None:
    stream = upgrading()
    stream.put(builders.workload(HANDLER, NEW, desired=3))
    replace(stream, HANDLER, "a")
    moved = stream.now
    stream.wait(299)
    assert stream.state(rollout.STATE, HANDLER) == "rolling"
    assert stream.value(rollout.STALLED, HANDLER) == 0
    stream.wait(2)
    assert stream.state(rollout.STATE, HANDLER) == "stalled"
    assert stream.value(rollout.STALLED, HANDLER) == 1
    assert stream.value(rollout.MOVED, HANDLER) == moved
    assert stream.state(rollout.STATE, API) == "pending"
    assert stream.value(rollout.STALLED, API) == 0
    replace(stream, HANDLER, "b")
    assert stream.state(rollout.STATE, HANDLER) == "rolling"


def test_a_stall_is_not_judged_from_half_of_the_lists() -> None:
    stream = upgrading()
    stream.put(builders.workload(HANDLER, NEW, desired=3))
    stream.wait(600)
    assert {key for key, value in stream.values(rollout.STALLED).items() if value} == {(HANDLER,)}
    again = stream.restart(Rollout())
    again.lists(
        builders.kubevirt(NEW, OLD),
        builders.workload(OPERATOR, NEW, desired=1),
        builders.pod(OPERATOR, "new", NEW),
        builders.workload(CONTROLLER, desired=1),
        builders.pod(CONTROLLER),
        without=[resources.DAEMONSETS],
    )
    assert again.values(rollout.STALLED) == {}
    assert again.state(rollout.STATE, CONTROLLER) == "pending"
    assert again.state(rollout.STATE, HANDLER) == "rolling"


def test_the_handlers_stages() -> None:
    stream = upgrading()
    assert stream.state(rollout.STAGE) == "pending"
    stream.put(builders.workload(HANDLER, NEW, desired=3))
    assert stream.state(rollout.STAGE) == "canary"
    replace(stream, HANDLER, "a")
    assert stream.state(rollout.STAGE) == "canary"
    stream.put(builders.workload(HANDLER, NEW, desired=3, max_unavailable="10%"))
    assert stream.state(rollout.STAGE) == "bulk"
    stream.put(builders.pod(HANDLER, "a", NEW, uid="new-a", ready=False))
    assert stream.state(rollout.STAGE) == "bulk"
    replace(stream, HANDLER, "b")
    replace(stream, HANDLER, "c")
    stream.put(builders.pod(HANDLER, "a", NEW, uid="new-a"))
    assert stream.state(rollout.STAGE) == "done"
    stream.put(builders.workload(HANDLER, NEW, desired=3))
    assert stream.state(rollout.STAGE) == "done"


def test_pods_alone_tell_the_bulk_where_the_limit_is_always_the_same() -> None:
    stream = upgrading()
    stream.put(builders.workload(HANDLER, NEW, desired=3))
    replace(stream, HANDLER, "a")
    replace(stream, HANDLER, "b")
    assert stream.state(rollout.STAGE) == "bulk"


def test_a_higher_limit_alone_is_no_rollout() -> None:
    stream = upgrading()
    stream.put(builders.workload(HANDLER, desired=3, max_unavailable="10%"))
    assert stream.state(rollout.STAGE) == "pending"
    assert stream.state(rollout.STATE, HANDLER) == "pending"


# --- what is wrong with new pods ---


def test_restarts_of_new_pods_count_for_the_session() -> None:
    stream = upgrading()
    stream.put(builders.workload(HANDLER, NEW, desired=3))
    stream.put(builders.pod(HANDLER, "b", restarts=7))
    stream.drop(builders.pod(HANDLER, "a"))
    stream.put(builders.pod(HANDLER, "a", NEW, uid="new-a", restarts=1))
    stream.put(builders.pod(HANDLER, "a", NEW, uid="new-a", restarts=3))
    assert stream.value(rollout.RESTARTS, HANDLER) == 3
    assert part(stream, HANDLER).restarts == 3


def test_waiting_reasons_are_those_of_new_pods() -> None:
    stream = upgrading()
    stream.put(builders.workload(HANDLER, NEW, desired=3))
    stream.put(builders.pod(HANDLER, "a", waiting="CrashLoopBackOff"))
    stream.put(builders.pod(HANDLER, "b", NEW, uid="b2", waiting="ImagePullBackOff"))
    stream.put(builders.pod(HANDLER, "c", NEW, uid="c2", waiting="SomethingNew"))
    waiting = {key[1]: value for key, value in stream.values(rollout.WAITING).items() if key[0] == HANDLER}
    assert {reason for reason, value in waiting.items() if value} == {"ImagePullBackOff", "other"}
    assert len(waiting) == 9
    stream.put(builders.pod(HANDLER, "b", NEW, uid="b2"))
    stream.drop(builders.pod(HANDLER, "c"))
    assert not any(stream.values(rollout.WAITING).values())


def test_a_rollout_against_kubevirts_order_is_counted() -> None:
    stream = upgrading()
    assert stream.value(rollout.OUT_OF_ORDER) == 0
    roll(stream, API)
    assert stream.value(rollout.OUT_OF_ORDER) == 2  # before virt-handler and virt-controller


# --- the report ---


def test_the_report_lists_components_in_the_order_of_the_rollout() -> None:
    stream = upgrading()
    assert [p.name for p in stream.concern.report(stream.now, stream.tracker)] == [OPERATOR, HANDLER, CONTROLLER, API]
    back = cluster(NEW)
    back.put(builders.kubevirt(OLD, NEW, operator_version=NEW))
    assert [p.name for p in back.concern.report(back.now, back.tracker)] == [OPERATOR, API, CONTROLLER, HANDLER]


def test_the_report_tells_each_components_part() -> None:
    stream = upgrading()
    stream.now += 5
    roll(stream, HANDLER, desired=3)
    assert part(stream, HANDLER) == ComponentReport(
        name=HANDLER,
        from_version=OLD,
        to_version=NEW,
        started_at=START + 5,
        completed_at=START + 35,
        desired=3,
        updated=3,
        ready=3,
        restarts=0,
    )
    waiting = part(stream, API)
    assert (waiting.started_at, waiting.completed_at, waiting.updated, waiting.ready) == (None, None, 0, 0)


def test_what_was_not_observed_is_none() -> None:
    stream = Stream(Rollout(), now=START)
    stream.lists(*everything(), without=[resources.PODS])
    stream.sync(resources.PODS, Sync.FORBIDDEN)
    stream.put(builders.kubevirt(NEW, OLD), builders.workload(HANDLER, NEW, desired=None))
    handler = part(stream, HANDLER)
    assert (handler.desired, handler.updated, handler.ready) == (None, None, None)
    assert stream.values(rollout.COMPONENT_PROGRESS) == {}
    assert stream.values(rollout.STAGE) == {}


def test_what_a_session_reached_stays_when_the_next_target_ends_it() -> None:
    """The change that ends it does not count for it any more."""
    stream = upgrading()
    roll(stream, HANDLER, desired=3)
    reached = stream.concern.report(stream.now, stream.tracker)
    reports: list[tuple[ComponentReport, ...]] = []
    stream.closing = lambda: reports.append(stream.concern.report(stream.now, stream.tracker))
    stream.put(builders.workload(OPERATOR, "v1.5.0", desired=1))
    assert reports == [reached]
    assert stream.state(rollout.STATE, OPERATOR) == "rolling"
    assert part(stream, OPERATOR).to_version == "v1.5.0"


def test_after_a_session_its_values_stay_and_replicas_go_on() -> None:
    stream = cluster()
    stream.put(builders.kubevirt(NEW, OLD))
    stream.put(builders.kubevirt(OLD))  # taken back
    assert not stream.tracker.active
    stream.put(builders.pod(HANDLER, "a", ready=False))
    assert stream.state(rollout.STATE, HANDLER) == "pending"
    assert stream.state(rollout.STAGE) == "pending"
    assert part(stream, HANDLER).updated == 0
    assert stream.value(rollout.REPLICAS, HANDLER, "updated") == 3
    assert stream.value(rollout.REPLICAS, HANDLER, "ready") == 2


def test_a_restart_goes_on_with_the_session() -> None:
    stream = upgrading()
    stream.put(builders.workload(HANDLER, NEW, desired=3))
    replace(stream, HANDLER, "a")
    before = {f.name: stream.values(f) for f in rollout.FAMILIES if f.name.startswith("session_")}
    report = stream.concern.report(stream.now, stream.tracker)
    again = stream.restart(Rollout())
    assert again.concern.report(again.now, again.tracker) == report
    after = {f.name: again.values(f) for f in rollout.FAMILIES if f.name.startswith("session_")}
    assert after == before | {rollout.OUT_OF_ORDER.name: {}, rollout.STALLED.name: {}}
    again.list(resources.DAEMONSETS, builders.workload(HANDLER, NEW, desired=3))
    again.list(resources.PODS)
    assert again.concern.report(again.now, again.tracker) == report  # half of the lists say nothing
    again.lists(
        builders.kubevirt(NEW, OLD),
        builders.workload(OPERATOR, NEW, desired=1),
        builders.pod(OPERATOR, "new", NEW),
        builders.workload(HANDLER, NEW, desired=3),
        builders.pod(HANDLER, "a", NEW, uid="new-a"),
        builders.pod(HANDLER, "b", NEW, uid="new-b"),
        builders.pod(HANDLER, "c"),
        builders.workload(CONTROLLER, desired=1),
        builders.pod(CONTROLLER),
        builders.workload(API, desired=1),
        builders.pod(API),
    )
    assert [p.ready for p in report] == [1, 1, 0, 0]
    assert [p.ready for p in again.concern.report(again.now, again.tracker)] == [1, 2, 0, 0]
    assert again.state(rollout.STAGE) == "bulk"


# --- nodes ---


def test_a_node_with_guests_shows_while_its_handler_is_away() -> None:
    stream = cluster()
    assert stream.value(nodes.UNREADY) == 0
    stream.drop(builders.pod(HANDLER, "a"))
    stream.now += 5
    stream.put(builders.pod(HANDLER, "a", NEW, uid="a2", ready=False))
    stream.now += 5
    assert stream.values(nodes.UNREADY_SINCE) == {("node-a",): START}
    assert stream.values(nodes.HEARTBEAT) == {("node-a",): START - 60}
    assert stream.value(nodes.UNREADY) == 1
    stream.put(builders.pod(HANDLER, "a", NEW, uid="a2"))
    assert stream.values(nodes.UNREADY_SINCE) == stream.values(nodes.HEARTBEAT) == {}
    assert stream.value(nodes.UNREADY) == 0


def test_a_handler_that_is_being_deleted_is_away() -> None:
    stream = cluster()
    stream.put(builders.pod(HANDLER, "a", deleted=START + 330))
    assert stream.values(nodes.UNREADY_SINCE) == {("node-a",): START}


def test_a_node_without_guests_does_not_show() -> None:
    stream = cluster()
    stream.put(builders.vmi("a", node="node-b"))
    stream.drop(builders.pod(HANDLER, "a"))
    stream.now += 600
    stream.put(*(builders.node(f"node-{name}", heartbeat=stream.now) for name in ("b", "c")))
    assert stream.values(nodes.UNREADY_SINCE) == stream.values(nodes.HEARTBEAT) == {}
    stream.put(builders.vmi("a", node="node-a"))
    assert stream.values(nodes.UNREADY_SINCE) == {("node-a",): START + 600}
    stream.put(builders.vmi("a", node="node-a", phase="Failed"))
    assert stream.values(nodes.UNREADY_SINCE) == {}


def test_an_old_heartbeat_shows_before_kubevirt_acts_on_it() -> None:
    stream = cluster()
    stream.now = START + 119
    assert stream.values(nodes.HEARTBEAT) == {}
    stream.now = START + 121
    stream.put(builders.node("node-b", heartbeat=stream.now), builders.node("node-c", heartbeat=None))
    assert stream.values(nodes.HEARTBEAT) == {("node-a",): START - 60}
    assert stream.value(nodes.OLD) == 1
    stream.drop(builders.node("node-a"))
    assert stream.values(nodes.HEARTBEAT) == {}


@pytest.mark.parametrize("last", [resources.VMIS, resources.PODS])
def test_handlers_are_missed_only_when_pods_and_guests_are_listed(last: str) -> None:
    stream = Stream(Rollout(), now=START)
    objects = [o for o in everything() if o.key != f"{builders.NAMESPACE}/{HANDLER}-b"]
    stream.lists(*objects, without=[last])
    assert stream.values(nodes.UNREADY) == stream.values(nodes.UNREADY_SINCE) == {}
    stream.lists(*objects)
    assert stream.values(nodes.UNREADY_SINCE) == {("node-b",): START}


def test_nodes_that_show_are_the_first_hundred_and_all_are_counted() -> None:
    stream = cluster()
    for number in range(150):
        stream.now += 1
        stream.put(builders.vmi(f"more-{number}", node=f"more-{number}"))
    shown = stream.values(nodes.UNREADY_SINCE)
    assert len(shown) == 100
    assert ("more-0",) in shown
    assert ("more-149",) not in shown
    assert stream.value(nodes.UNREADY) == 150


def test_a_restart_remembers_since_when_a_handler_is_away() -> None:
    stream = cluster()
    stream.drop(builders.pod(HANDLER, "a"))
    stream.drop(builders.pod(HANDLER, "b"))
    stream.now += 100
    again = stream.restart(Rollout())
    again.lists(*(o for o in everything() if o.key != f"{builders.NAMESPACE}/{HANDLER}-a"))
    assert again.values(nodes.UNREADY_SINCE) == {("node-a",): START}


def test_a_node_whose_guests_left_while_we_restarted_does_not_show() -> None:
    stream = cluster()
    stream.drop(builders.pod(HANDLER, "a"))
    again = stream.restart(Rollout())
    gone = {f"{builders.NAMESPACE}/{HANDLER}-a", "guests/a"}
    again.lists(*(o for o in everything() if o.key not in gone))
    assert again.value(nodes.UNREADY) == 0


# --- what KubeVirt says, and leaves ---


def test_each_condition_has_a_state() -> None:
    stream = cluster()
    conditions = (Condition("Available", "True"), Condition("Degraded", "False"), Condition("Progressing", "Maybe"))
    stream.put(builders.kubevirt(conditions=conditions))
    found = {kind: stream.state(leftovers.CONDITION, kind) for kind in ("Available", "Degraded", "Progressing")}
    assert found == {"Available": "true", "Degraded": "false", "Progressing": "unknown"}
    assert stream.state(leftovers.CONDITION, "Created") == "absent"
    stream.drop(builders.kubevirt(conditions=conditions))
    assert stream.values(leftovers.CONDITION) == {}


def test_temporary_webhooks_and_failed_jobs_are_counted() -> None:
    stream = cluster()
    assert (stream.value(leftovers.WEBHOOKS), stream.value(leftovers.JOBS)) == (0, 0)
    webhook, job = builders.webhooks("virt-operator-tmp-webhook-x7"), builders.job(failed=True)
    stream.put(builders.webhooks(), webhook, job, builders.job("other", failed=True, install_strategy=False))
    assert (stream.value(leftovers.WEBHOOKS), stream.value(leftovers.JOBS)) == (1, 1)
    stream.drop(webhook, job)
    assert (stream.value(leftovers.WEBHOOKS), stream.value(leftovers.JOBS)) == (0, 0)


def test_leftovers_that_may_not_be_read_are_unknown() -> None:
    stream = cluster()
    stream.sync(resources.VALIDATING_WEBHOOKS, Sync.FORBIDDEN)
    stream.sync(resources.JOBS, Sync.FORBIDDEN)
    assert stream.values(leftovers.WEBHOOKS) == stream.values(leftovers.JOBS) == {}


# --- real upgrades ---


def replay(path: pathlib.Path) -> Iterator[tuple[tuple[ComponentReport, ...], float, Tracker, Rollout]]:
    """The report at the end of each session, and the time from which the recording counts."""
    tracker, concern = Tracker(Settings()), Rollout()
    with Recording(path) as recording:
        for change in recording.changes():
            for transition in tracker.observe(change):
                if isinstance(transition, Closed):
                    yield concern.report(tracker.last, tracker), recording.marks[0].at, tracker, concern
                else:
                    concern.session(transition, tracker)
            concern.observe(change, tracker)
        yield concern.report(tracker.last, tracker), recording.marks[0].at, tracker, concern


def seconds(report: tuple[ComponentReport, ...], since: float) -> dict[str, tuple[float | None, float | None]]:
    return {
        p.name: tuple(None if at is None else round(at - since, 1) for at in (p.started_at, p.completed_at))  # type: ignore[misc]
        for p in report
    }


def test_a_real_upgrade(recordings: pathlib.Path) -> None:
    [(report, since, tracker, concern)] = replay(recordings / "upgrade-1.3.0-1.4.0.jsonl.gz")
    assert seconds(report, since) == {
        OPERATOR: (0.8, 29.9),
        HANDLER: (68.9, 205.7),
        CONTROLLER: (210.8, 259.4),
        API: (263.7, 316.2),
    }
    assert {(p.from_version, p.to_version, p.restarts) for p in report} == {(OLD, NEW, 0)}
    assert tracker.session is not None
    assert tracker.session.progress == 1
    assert not [s for s in concern.samples(tracker.last, tracker) if s.family is nodes.UNREADY_SINCE]


def test_two_real_upgrades_in_a_row(recordings: pathlib.Path) -> None:
    first, second = replay(recordings / "upgrade-1.2.0-1.3.0-1.4.0-staged.jsonl.gz")
    assert {(p.from_version, p.to_version) for p in first[0]} == {("v1.2.0", OLD)}
    assert {(p.from_version, p.to_version) for p in second[0]} == {(OLD, NEW)}
    for report, since, *_ in (first, second):
        times = seconds(report, since)
        assert list(times) == [OPERATOR, HANDLER, CONTROLLER, API]
    assert [started for started, _ in seconds(first[0], first[1]).values()] == [0.8, 66.7, 206.6, 257.5]
    assert [started for started, _ in seconds(second[0], second[1]).values()] == [430.3, 494.7, 632.1, 685.5]


def test_a_real_upgrade_that_is_stuck(recordings: pathlib.Path) -> None:
    [(report, since, tracker, concern)] = replay(recordings / "upgrade-1.3.0-1.4.0-stuck-handler.jsonl.gz")
    assert seconds(report, since)[HANDLER][1] is None
    assert seconds(report, since)[API] == (None, None)
    samples = {(s.family.name, s.labels): s.value for s in concern.samples(tracker.last, tracker)}
    assert samples[rollout.STATE.name, (HANDLER, "stalled")] == 1
    assert samples[rollout.STATE.name, (CONTROLLER, "pending")] == 1
    assert [key[1] for key in samples if key[0] == nodes.UNREADY_SINCE.name] == [("worker-3",)]
