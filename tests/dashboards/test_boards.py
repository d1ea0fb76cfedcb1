"""The dashboards as files: up to date, whole, within the grid, and about series that exist."""

import itertools
import json
import re
from typing import Any

import pytest
import yaml

from alerts.src import files as rules
from dashboards.src import frame, meanings
from exporter.model.families import Kind
from tests.alerts import expressions
from tests.conftest import REPOSITORY
from tests.dashboards import reading

BOARDS = list(reading.BOARDS.values())
PANELS = [
    pytest.param(panel, id=f"{board['uid']}: {panel['title']}") for board in BOARDS for panel in reading.panels(board)
]
QUERIES = [*reading.queries(), *reading.annotations()]
MERGED = [
    query
    for query in QUERIES
    if query.board != "kubevirt-upgrade-exporter" and query.panel != "Verification of the last upgrade"
]
"""The exporter's own dashboard shows each replica; the questions of verification.yaml have tests of their own."""
ANY = {"cluster": "here", "namespace": ".*", "datasource": "prometheus"}
RECORDS = {
    rule["record"]
    for name in (rules.UPGRADE, rules.OBJECTIVES)
    for group in yaml.safe_load((REPOSITORY / name).read_text())["groups"]
    for rule in group["rules"]
    if "record" in rule
}
TARGET = {"cluster", "namespace", "job", "pod", "instance"}
"""What a scrape and a fleet add."""
READABLE = 20
"""Rows of the grid that 1600 x 900 pixels show without scrolling."""


def ids(value: Any) -> str:  # noqa: ANN401 - any parameter
    return f"{value['uid']}" if isinstance(value, dict) and "uid" in value else str(value)


@pytest.mark.parametrize("name", reading.TEXTS)
def test_committed_files_are_up_to_date(name: str) -> None:
    assert (REPOSITORY / name).read_text() == reading.TEXTS[name], "run `make generate`"


def test_nothing_else_lies_among_them() -> None:
    assert {path.name for path in (REPOSITORY / "dashboards").glob("*.json")} == {
        name.removeprefix("dashboards/") for name in reading.TEXTS
    }


def test_each_fits_into_a_config_map_that_is_applied_by_kubectl() -> None:
    """Which keeps a copy of it in an annotation of 256 KiB at most."""
    assert {name: len(text) for name, text in reading.TEXTS.items() if len(text) > 200_000} == {}


def test_pictures_are_small_and_shown() -> None:
    pictures = sorted((REPOSITORY / "docs" / "pictures").glob("*.png"))
    assert len(pictures) == 3
    for picture in pictures:
        assert picture.stat().st_size < 300_000
        assert f"docs/pictures/{picture.name}" in (REPOSITORY / "README.md").read_text()


def test_labels_in_tables_stay_text() -> None:
    """Grafana takes what looks like a number for one, unless it is told: release 1.2 would be shown as 1 or as 1.20."""
    numbers = []
    for panel in (panel for board in BOARDS for panel in reading.panels(board) if panel["type"] == "table"):
        [names] = [t["options"]["renameByName"] for t in panel["transformations"] if t["id"] == "organize"]
        texts = {
            override["matcher"]["options"]
            for override in panel["fieldConfig"]["overrides"]
            if {"id": "unit", "value": "string"} in override["properties"]
        }
        labels = [title for name, title in names.items() if not name.startswith("Value")]
        numbers += [(panel["title"], label) for label in labels if label not in texts]
    assert numbers == []


# --- each dashboard ---


@pytest.mark.parametrize("board", BOARDS, ids=ids)
def test_a_dashboard_has_an_identity_its_variables_and_links_to_the_others(board: dict[str, Any]) -> None:
    assert board["uid"].startswith("kubevirt-upgrade")
    assert len(board["uid"]) <= 40
    assert board["schemaVersion"] <= 41, "Grafana 10.4 reads schemas of its time and leaves newer fields alone"
    assert [variable["name"] for variable in board["templating"]["list"]] == ["datasource", "cluster", "namespace"]
    [link] = board["links"]
    assert link["tags"] == board["tags"] == [frame.TAG]
    assert link["includeVars"]
    assert link["keepTime"]
    assert not board["editable"]


@pytest.mark.parametrize("board", BOARDS, ids=ids)
def test_ids_and_titles_of_panels_are_unique(board: dict[str, Any]) -> None:
    for key in ("id", "title"):
        found = [panel[key] for panel in reading.panels(board)]
        assert sorted(set(found)) == sorted(found)


@pytest.mark.parametrize("board", BOARDS, ids=ids)
def test_panels_fill_24_columns_without_overlap(board: dict[str, Any]) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in reading.panels(board):
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for cell in itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        ):
            assert cell not in taken, f"{panel['title']} covers {taken[cell]}"
            taken[cell] = panel["title"]
    assert len(taken) == 24 * (max(y for _, y in taken) + 1), "a hole"


def test_the_first_answers_are_readable_without_scrolling() -> None:
    """Of the dashboard on the wall."""
    wanted = {
        "Now", "From, to", "Progress", "Duration", "Control plane done", "Verdict", "Phase and components",
        "Budgets used", "Guests", "Pods by version", "Guests left to update", "API disruption by probe",
    }  # fmt: skip
    seen = set()
    for panel in reading.panels(reading.BOARDS["dashboards/kubevirt-upgrade.json"]):
        if panel["gridPos"]["y"] + panel["gridPos"]["h"] <= READABLE:
            seen.add(panel["title"])
    assert seen == wanted


@pytest.mark.parametrize("board", BOARDS, ids=ids)
def test_every_variable_is_defined(board: dict[str, Any]) -> None:
    defined = {variable["name"] for variable in board["templating"]["list"]} | set(reading.OWN)
    assert reading.variables(json.dumps(board)) <= defined


@pytest.mark.parametrize("board", BOARDS, ids=ids)
def test_everything_asks_the_chosen_data_source(board: dict[str, Any]) -> None:
    asking = [*reading.panels(board), *board["annotations"]["list"], *board["templating"]["list"][1:]]
    asking += [target for panel in reading.panels(board) for target in panel["targets"]]
    for asks in asking:
        assert asks["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


# --- each panel ---


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_is_about_in_which_unit_and_what_it_is_when_empty(panel: dict[str, Any]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert defaults["unit"]
    assert defaults["noValue"]
    refs = [target["refId"] for target in panel["targets"]]
    assert sorted(set(refs)) == refs


@pytest.mark.parametrize("panel", PANELS)
def test_colours_are_those_that_have_a_meaning(panel: dict[str, Any]) -> None:
    known = {
        value for name, value in vars(meanings).items() if name.isupper() and isinstance(value, str)
    } | set(meanings.OBJECTIVE_HUES.values()) | set(meanings.PROBE_HUES.values())  # fmt: skip
    assert set(_colours(panel)) <= known


def _colours(part: Any) -> list[str]:  # noqa: ANN401 - JSON
    match part:
        case dict():
            here = [v for k, v in part.items() if k in ("color", "fixedColor") and isinstance(v, str)]
            return here + [colour for value in part.values() for colour in _colours(value)]
        case list():
            return [colour for value in part for colour in _colours(value)]
        case _:
            return []


def test_numbers_of_states_are_unique() -> None:
    kinds = [value for name, value in vars(meanings).items() if name.isupper() and isinstance(value, dict)]
    codes = [state.code for kind in kinds for state in kind.values() if isinstance(state, meanings.State)]
    assert len(codes) > 30
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize(
    ("family", "states"),
    [
        ("phase", meanings.PHASES),
        ("session_component_state", meanings.COMPONENTS),
        ("session_verdict", meanings.VERDICT),
        ("session_verdict_so_far", meanings.VERDICT_SO_FAR),
        ("session_slo_state", meanings.OBJECTIVES),
        ("session_end", meanings.ENDS),
        ("exporter_resource_state", meanings.RESOURCES),
        ("manifest_verdict", meanings.MANIFESTS),
        ("probe_standing", meanings.STANDINGS),
    ],
    ids=ids,
)
def test_every_state_that_is_published_has_a_number_and_a_colour(family: str, states: meanings.States) -> None:
    assert set(expressions.families()[f"kubevirt_upgrade_{family}"].states) == set(states)


# --- each query ---


@pytest.mark.parametrize("query", QUERIES, ids=ids)
def test_series_and_recording_rules_exist_with_their_labels_and_states(query: reading.Query) -> None:
    for series in expressions.asked(reading.put_in(query.expr, ANY)):
        if series.name in RECORDS:
            assert set(series.matchers) <= {"slo", "moving"} | TARGET
            continue
        assert series.name in {"ALERTS", *expressions.families()}, series.name
        if series.name == "ALERTS":
            continue
        family = expressions.families()[series.name]
        assert set(series.matchers) <= set(family.labels) | TARGET, series
        if family.kind is Kind.STATESET and family.labels[-1] in series.matchers:
            wanted = series.matchers[family.labels[-1]]
            assert all(any(re.fullmatch(w, state) for state in family.states) for w in wanted.split("|")), series


@pytest.mark.parametrize("query", QUERIES, ids=ids)
def test_every_series_is_of_the_chosen_cluster_and_namespace(query: reading.Query) -> None:
    """But for families with a namespace of their own, which is a guest's."""
    for series in expressions.asked(reading.put_in(query.expr, ANY)):
        assert series.matchers["cluster"] == "here"
        family = expressions.families().get(series.name)
        own = series.name == "ALERTS" or (family is not None and "namespace" in family.labels)
        assert ("namespace" in series.matchers) is not own, series


@pytest.mark.parametrize("query", MERGED, ids=ids)
def test_replicas_are_merged_by_the_worse_and_never_added(query: reading.Query) -> None:
    for series in expressions.asked(reading.put_in(query.expr, ANY)):
        if series.name not in RECORDS:  # these are merged
            assert series.merged, series
            assert not series.added, series


def test_every_panel_can_fail_the_checks_of_its_queries() -> None:
    """A query that reads nothing would pass them all."""
    for query in QUERIES:
        assert expressions.asked(reading.put_in(query.expr, ANY)), query
