"""The simulated clean upgrade goes through the same milestones, in the same order, as a real one that was recorded."""

import pathlib

import pytest

from exporter import sim
from exporter.sim import dump
from tests.sim import milestones

RECORDING = "upgrade-1.3.0-1.4.0.jsonl.gz"
TARGET = "v1.4.0"


@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_order_of_the_clean_upgrade_is_that_of_the_recording(
    recordings: pathlib.Path, tmp_path: pathlib.Path, seed: str
) -> None:
    written = tmp_path / "simulated.jsonl.gz"
    dump.record(sim.Simulation(sim.load("clean"), seed=seed), written)
    simulated = milestones.extract(milestones.read(written), TARGET)
    real = milestones.extract(milestones.read(recordings / RECORDING), TARGET)
    assert len(real) == 27
    assert milestones.in_order(simulated) == milestones.in_order(real)


def test_times_of_the_clean_upgrade_are_near_those_of_the_recording(recordings: pathlib.Path) -> None:
    """Nothing is tuned to the second, but no phase is twice as long or half as long as it was."""
    recorder = _recorded("clean")
    simulated = milestones.extract(recorder.events, TARGET)
    real = milestones.extract(milestones.read(recordings / RECORDING), TARGET)
    for name in real:
        took = simulated[name] - simulated["virt-operator template"]
        really_took = real[name] - real["virt-operator template"]
        assert took == pytest.approx(really_took, rel=0.3, abs=10), name


def test_two_steps_have_two_handovers_of_the_controller_each() -> None:
    """As recorded in the staged upgrade: old to other old to new."""
    simulation = sim.Simulation(sim.load("clean-two-step"))
    simulation.run()
    versions = [one.version for one in simulation.truth.handovers if one.lease == "virt-controller"]
    assert versions == ["v1.2.0", "v1.3.0", "v1.3.0", "v1.4.0"]
    assert all(15 <= one.gap <= 18 for one in simulation.truth.handovers)


def _recorded(name: str) -> dump.Recorder:
    simulation = sim.Simulation(sim.load(name))
    recorder = dump.Recorder(simulation)
    simulation.run()
    return recorder
