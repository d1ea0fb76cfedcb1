"""Every scenario of the simulator, in simulated time, in a real Prometheus: it raises the alerts it should, no other.

All of them are clusters of one Prometheus, told apart by a label, as a fleet would be.
"""

import pathlib

from exporter import sim
from tests.end_to_end import alerted, backfill
from tests.end_to_end.backfill import Pages
from tests.stories import Stories


async def test_each_scenario_raises_exactly_the_alerts_it_should(stories: Stories, tmp_path: pathlib.Path) -> None:
    found = await backfill.alerted(tmp_path, [Pages(stories.pages(name), cluster=name) for name in sim.names()])
    assert found == {name: alerted.raised(name) for name in sim.names()}
