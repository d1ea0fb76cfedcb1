"""Every scenario of the simulator, in simulated time, in a real Prometheus: it raises the alerts it should, no other.

All of them are clusters of one Prometheus, told apart by a label, as a fleet would be.
"""

import pathlib

import pytest

from exporter import sim
from exporter.exposition.history import History
from exporter.fold import Fold
from exporter.recording import reader, replay
from exporter.settings import Settings
from exporter.sim import dump
from tests.end_to_end import alerted, backfill
from tests.end_to_end.backfill import Pages


def pages(name: str, folder: pathlib.Path) -> Pages:
    """What the exporter's page would have shown."""

    def fail(source: str, error: Exception) -> None:
        pytest.fail(f"{source}: {error!r}")

    path = folder / f"{name}.jsonl.gz"
    dump.record(sim.Simulation(sim.load(name)), path)
    with reader.Recording(path) as recording:
        history = History(
            Fold(Settings(), exporter_version="test"),
            version="test",
            started=recording.started,
            step=backfill.STEP,
            on_failure=fail,
        )
        history.end(replay.replay(recording, history))
    return Pages(b"".join(history.text()).decode(), cluster=name)


async def test_each_scenario_raises_exactly_the_alerts_it_should(tmp_path: pathlib.Path) -> None:
    found = await backfill.alerted(tmp_path, [pages(name, tmp_path) for name in sim.names()])
    assert found == {name: alerted.raised(name) for name in sim.names()}
