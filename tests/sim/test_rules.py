"""Every rule accepts a world that can be, and refuses the nearest one that cannot: always in pairs."""

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from exporter import sim
from exporter.sim.cluster import Cluster
from exporter.sim.rules import Impossible, changes, states, stories
from exporter.sim.scenario import (
    Action,
    DeleteDefinition,
    FailMigrations,
    InterruptGuest,
    KeepLauncher,
    LoseNode,
    Scenario,
    Step,
    StickHandler,
    Upgrade,
    When,
)
from exporter.sim.world.world import ClusterSpec

JSON = dict[str, Any]
VM, VMI, VMIM = (
    "virtualmachines.kubevirt.io", "virtualmachineinstances.kubevirt.io",
    "virtualmachineinstancemigrations.kubevirt.io",
)  # fmt: skip
KUBEVIRTS, CRDS = "kubevirts.kubevirt.io", "customresourcedefinitions.apiextensions.k8s.io"
UPGRADE = Upgrade(to="v1.4.0")


# -- stories ---------------------------------------------------------------------------------------------------------


def story(*actions: Action, when: When | None = None, **cluster: object) -> Scenario:
    spec = dataclasses.replace(ClusterSpec(), **cluster)  # type: ignore[arg-type]
    steps = tuple(Step(when=when or When(at=30), action=action) for action in actions)
    return Scenario(name="test", about="", cluster=spec, steps=steps, ends=When(at=600))


def stored(*versions: str) -> dict[str, list[str]]:
    return {"virtualmachineexports.export.kubevirt.io": list(versions)}


STORIES = {
    "a stranded guest is a guest": (story(guests=3, stranded=3), story(guests=3, stranded=4)),
    "guests live in namespaces of their own": (story(namespaces=("a",)), story(namespaces=("kubevirt",))),
    "there is somewhere to run": (story(workers=2), story(workers=0)),
    "some migrations may run": (story(parallel_migrations=1), story(parallel_migrations=0)),
    "methods are KubeVirt's": (story(update_methods=("Evict",)), story(update_methods=("Restart",))),
    "migrations need two nodes": (story(workers=2), story(workers=1)),
    "versions are known": (story(Upgrade(to="v1.4.2")), story(Upgrade(to="v2.0.0"))),
    "the first version is known": (story(version="v1.9.0"), story(version="1.9")),
    "upgrades go somewhere": (story(UPGRADE, Upgrade(to="v1.3.0")), story(UPGRADE, UPGRADE)),
    "stored versions exist": (
        story(version="v1.8.0", stored_versions=stored("v1alpha1", "v1beta1")),
        story(version="v1.2.0", stored_versions=stored("v1alpha1", "v1beta1")),
    ),
    "the storage version is stored": (
        story(version="v1.8.0", stored_versions=stored("v1beta1")),
        story(version="v1.8.0", stored_versions=stored("v1alpha1")),
    ),
    "guests exist": (
        story(InterruptGuest(guest="team-a/vm-a6", how="oom")), story(InterruptGuest(guest="team-a/vm-a7", how="oom")),
    ),
    "who migrates can migrate": (
        story(KeepLauncher(guest="team-a/vm-a0", seconds=60)), story(KeepLauncher(guest="team-b/vm-b6", seconds=60)),
    ),
    "who fails to migrate would migrate": (
        story(FailMigrations(guests=("team-a/vm-a0",))), story(FailMigrations(guests=("team-b/vm-b6",))),
    ),
    "nodes exist": (
        story(StickHandler(node="worker-4", version="v1.4.0")), story(StickHandler(node="worker-5", version="v1.4.0")),
    ),
    "two nodes are left": (story(LoseNode(node="worker-1"), workers=3), story(LoseNode(node="worker-1"), workers=2)),
    "milestones come": (
        story(UPGRADE, LoseNode(node="worker-1"), when=When(after="reported v1.4.0")),
        story(UPGRADE, LoseNode(node="worker-1"), when=When(after="reported v1.5.0")),
    ),
    "milestones have names": (
        story(UPGRADE, when=When(after="handler-started v1.4.0")), story(UPGRADE, when=When(after="lunch v1.4.0")),
    ),
    "time goes forward": (story(UPGRADE, when=When(at=0)), story(UPGRADE, when=When(at=-1))),
    "guests do not live by what is deleted": (
        story(DeleteDefinition(name="virtualmachineclones.clone.kubevirt.io")), story(DeleteDefinition(name=VMI)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STORIES)
def test_stories(name: str) -> None:
    possible, impossible = STORIES[name]
    stories.check(possible)
    with pytest.raises(Impossible):
        stories.check(impossible)


def test_all_problems_of_a_story_are_told_together() -> None:
    with pytest.raises(Impossible) as error:
        stories.check(story(Upgrade(to="v7"), LoseNode(node="moon"), workers=2, guests=1, stranded=5))
    assert len(error.value.problems) == 3


def test_a_simulation_refuses_an_impossible_story() -> None:
    with pytest.raises(Impossible):
        sim.Simulation(story(LoseNode(node="moon")))


# -- states ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world() -> tuple[dict[str, list[JSON]], float]:
    """All objects after the workload updates of an upgrade."""
    simulation = sim.Simulation(sim.load("clean", guests=8))
    simulation.run()
    return states.snapshot(simulation.cluster), simulation.now


def first(objects: dict[str, list[JSON]], resource: str) -> JSON:
    return objects[resource][0]


def same_uid(objects: dict[str, list[JSON]]) -> None:
    first(objects, VM)["metadata"]["uid"] = first(objects, VMI)["metadata"]["uid"]


def owner_gone(objects: dict[str, list[JSON]]) -> None:
    objects["replicasets.apps"] = []


def launcher_gone(objects: dict[str, list[JSON]]) -> None:
    uid = first(objects, VMI)["metadata"]["uid"]
    objects["pods"] = [pod for pod in objects["pods"] if pod["metadata"]["labels"].get("kubevirt.io/created-by") != uid]


def node_gone(objects: dict[str, list[JSON]]) -> None:
    gone = first(objects, VMI)["status"]["nodeName"]
    objects["nodes"] = [node for node in objects["nodes"] if node["metadata"]["name"] != gone]


def ready_without_instance(objects: dict[str, list[JSON]]) -> None:
    first(objects, VMI)["status"]["phase"] = "Failed"


def two_handlers(objects: dict[str, list[JSON]]) -> None:
    handlers = [pod for pod in objects["pods"] if pod["metadata"]["labels"]["kubevirt.io"] == "virt-handler"]
    handlers[0]["spec"]["nodeName"] = handlers[1]["spec"]["nodeName"]


def too_many_replicas(objects: dict[str, list[JSON]]) -> None:
    first(objects, "deployments.apps")["status"]["updatedReplicas"] = 9


def unknown_generation(objects: dict[str, list[JSON]]) -> None:
    first(objects, "deployments.apps")["status"]["observedGeneration"] = 99


def too_many_migrations(objects: dict[str, list[JSON]]) -> None:
    for migration in objects[VMIM][:6]:
        migration["status"]["phase"] = "Running"


def migrated_elsewhere(objects: dict[str, list[JSON]]) -> None:
    first(objects, VMI)["status"]["migrationState"]["targetNode"] = "elsewhere"


def reported_too_early(objects: dict[str, list[JSON]]) -> None:
    annotations = first(objects, "daemonsets.apps")["metadata"]["annotations"]
    annotations["kubevirt.io/install-strategy-identifier"] = "another"


def stores_the_unknown(objects: dict[str, list[JSON]]) -> None:
    first(objects, CRDS)["status"]["storedVersions"].append("v0")


def ready_after_the_end(objects: dict[str, list[JSON]]) -> None:
    ended = next(pod for pod in objects["pods"] if pod["status"]["phase"] == "Succeeded")
    ended["status"]["conditions"].append({"type": "Ready", "status": "True"})


SPOILERS: dict[states.Rule, list[Callable[[dict[str, list[JSON]]], None]]] = {
    states.uids_are_unique: [same_uid],
    states.owners_exist: [owner_gone],
    states.running_instances_have_a_launcher: [launcher_gone, node_gone],
    states.machines_are_ready_with_their_instance: [ready_without_instance],
    states.one_handler_a_node: [two_handlers],
    states.workloads_do_not_exceed_their_pods: [too_many_replicas, unknown_generation],
    states.migrations_keep_their_limit: [too_many_migrations],
    states.migrated_guests_are_at_their_target: [migrated_elsewhere],
    states.reported_means_rolled_over: [reported_too_early],
    states.definitions_know_what_they_store: [stores_the_unknown],
    states.ended_pods_are_not_ready: [ready_after_the_end],
}


def test_every_rule_about_states_has_a_pair() -> None:
    assert set(SPOILERS) == set(states.RULES)


@pytest.mark.parametrize("rule", SPOILERS, ids=lambda rule: str(rule.__name__))
def test_states(rule: states.Rule, world: tuple[dict[str, list[JSON]], float]) -> None:
    objects, now = world
    assert states.check(objects, now=now) == []
    for spoil in SPOILERS[rule]:
        spoilt = copy.deepcopy(objects)
        spoil(spoilt)
        assert rule(spoilt), spoil.__name__


def test_nothing_is_created_later_than_now(world: tuple[dict[str, list[JSON]], float]) -> None:
    objects, now = world
    assert not states.created_in_the_past(objects, now=now)
    assert states.created_in_the_past(objects, now=now - 600)


# -- changes ---------------------------------------------------------------------------------------------------------


def thing(phase: str = "Pending", **metadata: object) -> JSON:
    return {
        "kind": "Pod",
        "metadata": {
            "uid": "1", "creationTimestamp": "2026-11-23T04:41:56Z", "resourceVersion": "5", "generation": 1,
            **metadata,
        },
        "spec": {"a": 1},
        "status": {"phase": phase},
    }  # fmt: skip


def stores(*versions: str) -> JSON:
    return {**thing(resourceVersion="6"), "kind": "CustomResourceDefinition", "status": {"storedVersions": versions}}


BEFORE = thing()
CHANGES: dict[changes.Rule, tuple[tuple[JSON, JSON], tuple[JSON, JSON]]] = {
    changes.identity_stays: ((BEFORE, thing(resourceVersion="6")), (BEFORE, thing(resourceVersion="6", uid="2"))),
    changes.version_grows: ((BEFORE, thing(resourceVersion="6")), (BEFORE, thing(resourceVersion="5"))),
    changes.generation_follows_the_spec: (
        (BEFORE, {**thing(generation=2), "spec": {"a": 2}}), (BEFORE, {**thing(), "spec": {"a": 2}}),
    ),
    changes.phases_go_forward: ((BEFORE, thing("Running")), (thing("Running"), BEFORE)),
    changes.deletion_is_final: (
        (BEFORE, thing(deletionTimestamp="2026-11-23T04:41:56Z")),
        (thing(deletionTimestamp="2026-11-23T04:41:56Z"), BEFORE),
    ),
    changes.stored_versions_only_grow: ((stores("v1"), stores("v1", "v2")), (stores("v1", "v2"), stores("v2"))),
}  # fmt: skip


def test_every_rule_about_changes_has_a_pair() -> None:
    assert set(CHANGES) == set(changes.RULES)


@pytest.mark.parametrize("rule", CHANGES, ids=lambda rule: str(rule.__name__))
def test_changes(rule: changes.Rule) -> None:
    possible, impossible = CHANGES[rule]
    assert rule(*possible) == []
    assert rule(*impossible)


def test_a_final_phase_is_not_left_and_a_generation_does_not_jump() -> None:
    assert changes.phases_go_forward(thing("Succeeded"), thing("Failed"))
    assert changes.generation_follows_the_spec(BEFORE, thing(generation=3))


def test_the_guard_stops_an_impossible_write() -> None:
    cluster = Cluster(clock=lambda: 1_800_000_000.0)
    changes.Guard(cluster.store)
    cluster.create("pods", {"metadata": {"name": "p", "namespace": "n"}, "status": {"phase": "Succeeded"}})
    with (
        pytest.raises(Impossible, match="phase went from Succeeded to Running"),
        cluster.edit("pods", "p", "n") as body,
    ):
        body["status"]["phase"] = "Running"


def test_a_strict_simulation_stops_at_an_impossible_state() -> None:
    simulation = sim.Simulation(sim.load("clean", guests=3), strict=True)
    simulation.advance(1)
    simulation.cluster.delete("pods", simulation.world.guests["team-a/vm-a0"].pod, "team-a")
    with pytest.raises(Impossible, match="without a launcher"):
        simulation.advance(1)
