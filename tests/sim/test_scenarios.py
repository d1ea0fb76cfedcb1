"""Every scenario runs through a world that never becomes impossible, and leaves the truth it promises."""

import collections

import pytest

from exporter import sim
from exporter.sim.truth import Truth


def run(name: str, *, seed: str = "1", strict: bool = False) -> sim.Simulation:
    simulation = sim.Simulation(sim.load(name), seed=seed, strict=strict)
    simulation.run(step=20.0)
    return simulation


def since_start(simulation: sim.Simulation, at: float) -> float:
    return at - simulation.world.engine.start


def took(truth: Truth, first: str, last: str) -> float:
    return truth.milestones[last] - truth.milestones[first]


@pytest.mark.parametrize("name", sim.names())
def test_no_scenario_reaches_an_impossible_world(name: str) -> None:
    """Another seed than the other tests have; the rules are checked every twenty seconds, and with every change."""
    simulation = run(name, seed="strict", strict=True)
    assert simulation.over
    assert simulation.elapsed < simulation.scenario.longest


def test_clean_upgrade_moves_everybody_but_the_stranded_guest() -> None:
    truth = run("clean").truth
    assert truth.succeeded() == 19
    assert truth.failed() == 0
    assert truth.stranded == {"team-b/vm-b6"}
    assert not truth.interruptions
    assert not truth.asked_stops
    assert [(hop.kind, hop.old, hop.new) for hop in truth.hops] == [("upgrade", "v1.3.0", "v1.4.0")]


def test_two_steps_migrate_everybody_twice_and_grow_storage_versions() -> None:
    simulation = run("clean-two-step")
    assert simulation.truth.succeeded() == 38
    definition = simulation.cluster.get(
        "customresourcedefinitions.apiextensions.k8s.io", "virtualmachineexports.export.kubevirt.io"
    )
    assert definition["status"]["storedVersions"] == ["v1alpha1", "v1beta1"]


def test_a_skipped_minor_is_one_hop() -> None:
    assert [(hop.old, hop.new) for hop in run("skipped-minor").truth.hops] == [("v1.2.0", "v1.4.0")]


def test_rollback_of_an_unfinished_upgrade_ends_where_it_began() -> None:
    simulation = run("rollback")
    assert [hop.kind for hop in simulation.truth.hops] == ["upgrade", "rollback"]
    assert simulation.truth.succeeded() == 0
    versions = {
        pod["metadata"].get("annotations", {}).get("kubevirt.io/install-strategy-version")
        for pod in simulation.cluster.list("pods", "kubevirt")
        if pod["metadata"]["labels"]["kubevirt.io"] in {"virt-api", "virt-controller", "virt-handler"}
    }
    assert versions == {"v1.3.0"}
    kubevirt = simulation.cluster.get("kubevirts.kubevirt.io", "kubevirt", "kubevirt")
    assert kubevirt["status"]["observedKubeVirtVersion"] == kubevirt["status"]["operatorVersion"] == "v1.3.0"


def test_a_stuck_handler_stops_the_rollout_in_silence() -> None:
    """The KubeVirt object keeps saying what it says in a healthy upgrade."""
    simulation = run("stuck-handler")
    assert "handler-rolled-out v1.4.0" not in simulation.truth.milestones
    kubevirt = simulation.cluster.get("kubevirts.kubevirt.io", "kubevirt", "kubevirt")
    assert {one["reason"] for one in kubevirt["status"]["conditions"]} == {"UpdateInProgress"}
    daemon_set = simulation.cluster.get("daemonsets.apps", "virt-handler", "kubevirt")
    assert daemon_set["status"]["numberUnavailable"] == 1


def test_an_image_that_cannot_be_pulled_is_waited_for() -> None:
    simulation = run("stuck-image-pull")
    assert took(simulation.truth, "handler-canary-ready v1.4.0", "handler-rolled-out v1.4.0") > 300
    assert simulation.truth.succeeded() == 19


def test_guests_out_of_memory_or_evicted_are_interrupted_and_run_again() -> None:
    interruptions = [*run("guest-oom").truth.interruptions, *run("guest-evicted").truth.interruptions]
    assert [(one.name, one.reason) for one in interruptions] == [
        ("vm-a1", "oom"), ("vm-a2", "evicted"), ("vm-b3", "evicted"),
    ]  # fmt: skip
    for one in interruptions:
        assert one.seen_at is not None
        assert one.until is not None
        assert one.at < one.seen_at < one.until < one.at + 20


def test_a_lost_node_takes_its_guests_along() -> None:
    simulation = run("node-lost")
    lost = simulation.truth.interruptions
    assert {one.reason for one in lost} == {"node-lost"}
    assert not any(guest.node == "worker-4" for guest in simulation.world.guests.values())
    for one in lost:
        assert one.seen_at is not None
        assert since_start(simulation, one.seen_at) - since_start(simulation, one.at) == pytest.approx(90, abs=3)
        instance = simulation.cluster.get("virtualmachineinstances.kubevirt.io", one.name, one.namespace)
        assert instance["status"]["phase"] == "Running"


def test_stops_that_somebody_asked_for_are_no_interruptions() -> None:
    truth = run("guest-restarted").truth
    assert not truth.interruptions
    assert [(one.name, one.how) for one in truth.asked_stops] == [
        ("vm-a3", "restart-request"), ("vm-b1", "run-strategy"), ("vm-c2", "guest-shutdown"),
    ]  # fmt: skip


def test_a_duplicate_launcher_runs_for_as_long_as_it_is_told() -> None:
    truth = run("duplicate-launcher").truth
    (begin, end) = truth.duplicates["team-a/vm-a1"]
    assert end - begin == 300


def test_failing_migrations_are_tried_again() -> None:
    truth = run("failing-migrations").truth
    failures = collections.Counter(f"{one.namespace}/{one.name}" for one in truth.migrations if not one.succeeded)
    assert truth.stranded == {"team-a/vm-a0", "team-b/vm-b6"}
    assert failures["team-b/vm-b0"] == 2
    assert failures["team-a/vm-a0"] >= 4


def test_stranded_guests_stay_and_eviction_moves_them() -> None:
    assert len(run("stranded").truth.stranded) == 6
    evicting = run("update-eviction").truth
    assert not evicting.stranded
    assert {one.reason for one in evicting.interruptions} == {"update-eviction"}
    assert len(evicting.interruptions) == 3


@pytest.mark.parametrize(("name", "what", "seconds"), [("kubevirt-api-outage", "kubevirt-api", 30.0),
                                                       ("cluster-api-outage", "cluster-api", 25.0)])  # fmt: skip
def test_outages_last_as_long_as_they_are_told(name: str, what: str, seconds: float) -> None:
    (outage,) = run(name).truth.outages
    assert outage.what == what
    assert outage.until is not None
    assert outage.until - outage.since == pytest.approx(seconds)


def test_without_a_leader_the_gap_is_long() -> None:
    gaps = [one.gap for one in run("no-leader").truth.handovers if one.lease == "virt-controller"]
    assert max(gaps) > 120


def test_a_deleted_definition_takes_its_objects_along() -> None:
    simulation = run("definition-deleted")
    name = "virtualmachinesnapshots.snapshot.kubevirt.io"
    assert simulation.truth.lost == {name: 5}
    assert not list(simulation.cluster.list(name))


def test_image_tag_leaves_the_operator_alone() -> None:
    simulation = run("image-tag")
    assert simulation.truth.hops[0].by == "image-tag"
    kubevirt = simulation.cluster.get("kubevirts.kubevirt.io", "kubevirt", "kubevirt")
    assert kubevirt["status"]["operatorVersion"] == "v1.3.0"
    assert kubevirt["status"]["observedKubeVirtVersion"] == "v1.4.0"


def test_a_stored_version_that_goes_blocks_the_upgrade() -> None:
    simulation = run("storage-blocked")
    assert "virtualmachineexports" in simulation.truth.blocked[0]
    kubevirt = simulation.cluster.get("kubevirts.kubevirt.io", "kubevirt", "kubevirt")
    assert {one["reason"] for one in kubevirt["status"]["conditions"]} == {"DeploymentFailed"}
    assert simulation.world.templates["virt-handler"].version == "v1.8.0"


def test_three_thousand_guests_begin_and_upgrade() -> None:
    """Works in bounded memory: objects are kept deflated, and nothing scans all of them at each step."""
    simulation = sim.Simulation(sim.load("clean", guests=3000))
    simulation.advance(460)
    assert simulation.truth.milestones["workloads-started v1.4.0"]
    assert simulation.truth.succeeded() > 10
    assert len(simulation.cluster.store.table("virtualmachineinstances.kubevirt.io").entries) == 3000
