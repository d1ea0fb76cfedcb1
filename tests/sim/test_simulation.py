"""Runs repeat themselves, however they are stepped; live runs are shortened by the pace, leases are not."""

import gzip
import pathlib

import pytest

from exporter import sim
from exporter.sim import dump, times
from exporter.sim.refusals import Refusal
from exporter.sim.scenario import Scenario, Step, Upgrade, When
from exporter.sim.world.world import ClusterSpec


def recording(folder: pathlib.Path, name: str, *, seed: str = "1", step: float = 1.0) -> bytes:
    path = folder / f"{name}-{seed}-{step}.jsonl.gz"
    dump.record(sim.Simulation(sim.load(name), seed=seed), path, step=step)
    return path.read_bytes()


@pytest.mark.parametrize("name", ["clean", "node-lost", "cluster-api-outage"])
def test_the_same_seed_gives_the_same_bytes(tmp_path: pathlib.Path, name: str) -> None:
    assert recording(tmp_path, name) == recording(tmp_path, name)


def test_another_seed_gives_another_story(tmp_path: pathlib.Path) -> None:
    assert recording(tmp_path, "clean") != recording(tmp_path, "clean", seed="2")


def test_events_do_not_depend_on_the_size_of_the_steps(tmp_path: pathlib.Path) -> None:
    fine = gzip.decompress(recording(tmp_path, "guest-oom", step=0.25)).splitlines()
    coarse = gzip.decompress(recording(tmp_path, "guest-oom", step=7.0)).splitlines()
    shorter = min(len(fine), len(coarse))
    assert shorter > 2000
    assert fine[1:shorter] == coarse[1:shorter]


def test_a_recording_is_in_order_and_complete() -> None:
    simulation = sim.Simulation(sim.load("clean"))
    recorder = dump.Recorder(simulation)
    simulation.run()
    moments = [line["at"] for line in recorder.events]
    assert moments == sorted(moments)
    kinds = {line["type"] for line in recorder.events}
    assert kinds == {"LISTING", "ITEM", "LISTED", "ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR", "DISCONNECTED",
                     "PROBE", "MARK"}  # fmt: skip


def test_the_pace_shortens_what_happens_but_not_leases() -> None:
    """At a pace of 3 the upgrade of 60 guests takes about three minutes."""
    simulation = sim.Simulation(sim.load("clean", guests=60), pace=3.0)
    truth = simulation.run()
    begin = truth.milestones["operator-changed v1.4.0"]
    assert 150 < truth.milestones["workloads-updated v1.4.0"] - begin < 240
    assert all(15 <= one.gap <= 18 for one in truth.handovers)
    lease = simulation.cluster.get("leases.coordination.k8s.io", "virt-operator", "kubevirt")
    assert simulation.now - times.parse(lease["spec"]["renewTime"]) < 15


def test_managed_fields_make_objects_as_heavy_as_real_ones() -> None:
    """A median VirtualMachineInstance of a real recording has 6.3 kB, a launcher pod 18.6 kB."""
    sizes = {}
    for managed in (False, True):
        spec = ClusterSpec(guests=2, stranded=0, managed_fields=managed)
        simulation = sim.Simulation(Scenario(name="size", about="", cluster=spec, steps=(), ends=When(at=1)))
        store = simulation.cluster.store
        sizes[managed] = [
            len(next(store.raws(resource)))
            for resource in ("virtualmachineinstances.kubevirt.io", "virtualmachines.kubevirt.io")
        ]
    assert all(heavy > 1.3 * light for light, heavy in zip(sizes[False], sizes[True], strict=True))
    assert 4000 < sizes[True][0] < 9000


async def test_a_live_run_moves_time_by_itself_and_stops() -> None:
    spec = ClusterSpec(guests=3, stranded=0)
    step = Step(when=When(at=1), action=Upgrade(to="v1.4.0"))
    scenario = Scenario(name="live", about="", cluster=spec, steps=(step,), ends=When(after="target-set v1.4.0"))
    simulation = sim.Simulation(scenario)
    await simulation.start(speed=500)
    await simulation.ended()
    await simulation.stop()
    assert "operator-leads v1.4.0" in simulation.truth.milestones


def test_a_scenario_can_be_cut_short() -> None:
    """`longest` ends a scenario whose milestone never comes."""
    step = Step(when=When(at=10_000), action=Upgrade(to="v1.4.0"))
    ends = When(after="reported v1.4.0")
    scenario = Scenario(name="long", about="", cluster=ClusterSpec(), steps=(step,), ends=ends, longest=60)
    simulation = sim.Simulation(scenario)
    simulation.run()
    assert simulation.elapsed == pytest.approx(60, abs=1)


async def test_a_live_world_survives_clients_that_delete_what_it_works_with() -> None:
    simulation = sim.Simulation(sim.load("guest-oom"))
    await simulation.start(speed=500)
    for guest in simulation.world.guests.values():
        simulation.cluster.delete("pods", guest.pod, guest.namespace)
    await simulation.ended()
    await simulation.stop()
    assert "api-rolled-out v1.4.0" in simulation.truth.milestones


def test_a_stepped_world_does_not() -> None:
    simulation = sim.Simulation(sim.load("guest-oom"))
    simulation.cluster.delete("pods", simulation.world.guests["team-a/vm-a1"].pod, "team-a")
    with pytest.raises(Refusal, match="not found"):
        simulation.run()
