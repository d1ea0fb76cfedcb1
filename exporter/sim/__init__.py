"""A simulated KubeVirt cluster: a Kubernetes API over HTTP or HTTPS, in front of a world that upgrades itself.

It shares no code with the product and knows nothing of it. Three ways to use it:

Stepped, without waiting, for tests::

    simulation = sim.Simulation(sim.load("clean"))
    url = await simulation.serve()          # optional: without it there is no HTTP at all
    simulation.advance(60)                  # simulated seconds
    simulation.faults.add(Fault(harm=Harm.RESET, resource="pods", times=2))
    truth = simulation.run()                # to the end of the scenario: who was interrupted when, …

As a recording, to be folded as fast as a file can be read::

    truth = dump.record(sim.Simulation(sim.load("node-lost")), path)

Live, for people and demonstrations (`python -m exporter.sim clean`)::

    simulation = sim.Simulation(sim.load("clean"), start_at=None, pace=3)
    url = await simulation.start()          # real time, everything three times as short
    simulation.kubeconfig(path)
    await simulation.ended()
    await simulation.stop()

Who writes objects through the API changes objects; the world does not react to it as KubeVirt would.
"""

from __future__ import annotations

from exporter.sim.loading import ScenarioError, load, names
from exporter.sim.scenario import Scenario
from exporter.sim.simulation import Simulation
from exporter.sim.truth import Truth

__all__ = ["Scenario", "ScenarioError", "Simulation", "Truth", "load", "names"]
