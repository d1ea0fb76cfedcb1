"""Scenario files: what they may say, and the message for each mistake."""

import pathlib

import pytest

from exporter import sim
from exporter.sim import loading
from exporter.sim.faults import Harm
from exporter.sim.scenario import FailMigrations, Inject, StickHandler, Upgrade, When

GOOD = """\
about: A test.
cluster: {version: v1.3.0, guests: 6, namespaces: [one, two], stranded: 0, update-methods: [LiveMigrate]}
steps:
  - {at: 30, do: upgrade, to: v1.4.0}
  - {after: handler-started v1.4.0, plus: 5, do: stick-handler, node: worker-1, version: v1.4.0, seconds: null}
  - {at: 10, do: fail-migrations, guests: [one/vm-one0], times: 2}
  - {at: 40, do: inject, harm: status, path: ^/version$, code: 503, times: 3}
ends: {after: reported v1.4.0}
longest: 900
"""


def parse(text: str) -> sim.Scenario:
    return loading.parse(text, name="test", source="test.yaml")


def problems(text: str) -> list[str]:
    with pytest.raises(sim.ScenarioError) as error:
        parse(text)
    return error.value.problems


def test_a_scenario_becomes_values() -> None:
    scenario = parse(GOOD)
    assert scenario.cluster.namespaces == ("one", "two")
    assert scenario.longest == 900
    assert scenario.ends == When(after="reported v1.4.0")
    actions = [step.action for step in scenario.steps]
    assert actions[0] == Upgrade(to="v1.4.0", by="operator")
    assert actions[1] == StickHandler(node="worker-1", version="v1.4.0", seconds=None)
    assert actions[2] == FailMigrations(guests=("one/vm-one0",), times=2)
    assert isinstance(actions[3], Inject)
    assert actions[3].fault.harm is Harm.STATUS
    assert scenario.steps[1].when == When(after="handler-started v1.4.0", plus=5)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("about:", "abuot:", "test.yaml:1: unknown key `abuot`; known: about, cluster, ends, longest, steps"),
        ("guests: 6", "guests: many", "test.yaml:2: cluster.guests: 'many' is not a whole number"),
        ("guests: 6", "guests: 6.5", "test.yaml:2: cluster.guests: 6.5 is not a whole number"),
        ("guests: 6", "gests: 6", "test.yaml:2: cluster: unknown key `gests`"),
        ("[one, two]", "one", "test.yaml:2: cluster.namespaces: 'one' is not a list of texts"),
        ("do: upgrade", "do: upgarde", "test.yaml:4: steps[0].do: 'upgarde' is none of delete-definition"),
        (", to: v1.4.0", "", "test.yaml:4: steps[0]: lacks `to`"),
        ("to: v1.4.0", "to: v1.4.0, by: magic", "test.yaml:4: steps[0].by: 'magic' is not one of operator, image-tag"),
        ("at: 30, ", "", "test.yaml:4: steps[0]: needs either `at`, or `after` (and perhaps `plus`)"),
        ("at: 30", "at: 30, plus: 4", "test.yaml:4: steps[0]: needs either `at`, or `after` (and perhaps `plus`)"),
        ("at: 30", "at: soon", "test.yaml:4: steps[0].at: 'soon' is not a number"),
        ("at: 30", "at: 30, at: 31", "test.yaml:4: steps[0]: `at` stands here twice"),
        ("do: upgrade, ", "", "test.yaml:4: steps[0]: lacks `do`"),
        ("seconds: null", "seconds: ever", "test.yaml:5: steps[1].seconds: 'ever' is not a number or null"),
        ("harm: status", "harm: gremlins", "test.yaml:7: steps[3].harm: 'gremlins' is not one of refused, reset"),
        ("harm: status", "harm: refused", "test.yaml:7: steps[3]: a refused connection has no request yet"),
        ("ends: {after: reported v1.4.0}\n", "", "test.yaml:1: ends: is missing"),
        ("steps:\n", "steps: 5\nmore:\n", "test.yaml:3: steps: must be a list"),
        ("guests: 6", "guests: [", "test.yaml:"),
        ("worker-1", "worker-9", "test.yaml: line 5: steps[1].node: there is no worker worker-9"),
        ("one/vm-one0", "one/vm-one7", "test.yaml: line 6: steps[2].guests: there is no guest one/vm-one7"),
        ("reported v1.4.0", "reported v1.5.0", 'test.yaml: ends: "reported v1.5.0" never comes'),
    ],
)
def test_mistakes_are_named_with_their_place(old: str, new: str, message: str) -> None:
    found = problems(GOOD.replace(old, new, 1))
    assert any(problem.startswith(message) for problem in found), found


def test_all_mistakes_come_together() -> None:
    found = problems(GOOD.replace("guests: 6", "gests: 6").replace("do: upgrade", "do: nothing").replace("ends", "end"))
    assert len(found) == 4


def test_what_is_no_mapping_is_no_scenario() -> None:
    assert problems("- a\n- b\n") == ["test.yaml:1: a scenario is a mapping with about, cluster, ends, longest, steps"]
    assert problems("")


def test_scenarios_are_found_by_name_and_by_file(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD, encoding="utf-8")
    assert sim.load(file).name == "mine"
    assert sim.load("clean").about
    with pytest.raises(sim.ScenarioError, match="no such scenario; there are: clean"):
        sim.load("cleen")
    with pytest.raises(sim.ScenarioError, match="No such file"):
        sim.load(tmp_path / "other.yaml")


def test_a_number_of_guests_replaces_the_scenarios_own_if_that_is_possible() -> None:
    assert sim.load("clean", guests=60).cluster.guests == 60
    with pytest.raises(sim.ScenarioError, match="there is no guest team-a/vm-a1"):
        sim.load("guest-oom", guests=2)


@pytest.mark.parametrize("name", sim.names())
def test_every_scenario_says_what_it_is_about(name: str) -> None:
    assert len(sim.load(name).about) > 20
