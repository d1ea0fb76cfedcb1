"""The dashboards against Grafana's own types: no unknown field, no wrong type, no option that a panel does not have."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import pytest

from tests.dashboards import reading, schema

BEYOND = {"expr", "step", "titleFormat", "useValueForTime"}
"""What Grafana's Prometheus data source reads of an annotation, and its types do not say."""
FAMILY = "kubevirt-upgrade"


@pytest.fixture(scope="module")
def schemas() -> Mapping[str, Any]:
    return schema.schemas()


def errors(board: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    """Everything that Grafana's types do not allow."""
    whole = copy.deepcopy(dict(board))
    for annotation in whole["annotations"]["list"]:
        for name in BEYOND:
            annotation.pop(name, None)
    panels = whole.pop("panels")
    for variable in whole["templating"]["list"]:
        for name in [name for name in variable if name.startswith("auto")]:
            del variable[name]
    yield from _errors(schemas["dashboard"], "dashboard", whole)
    for panel in panels:
        yield from _errors(schemas["dashboard"], "panel", panel)
        yield from _errors(schemas[panel["type"]], "options", panel.get("options", {}))
        if custom := _custom(panel):
            yield from _errors(schemas[panel["type"]], "custom", custom)


def _custom(panel: Mapping[str, Any]) -> dict[str, Any]:
    """Options of fields, those of single fields included."""
    found = dict(panel["fieldConfig"]["defaults"].get("custom") or {})
    for override in panel["fieldConfig"]["overrides"]:
        for part in override["properties"]:
            if part["id"].startswith("custom."):
                found[part["id"].removeprefix("custom.")] = part["value"]
    return found


def _errors(document: Mapping[str, Any], part: str, value: object) -> Iterator[str]:
    wanted = document["definitions"]["Wanted"]["properties"][part]
    validator = jsonschema.Draft7Validator({**wanted, "definitions": document["definitions"]})
    for error in validator.iter_errors(value):
        if error.validator == "required" and part in ("options", "custom") and not error.absolute_path:
            continue  # Grafana puts in its defaults
        best = jsonschema.exceptions.best_match([error])
        yield f"{part} {list(error.absolute_path)}: {best.message if best else error.message}"[:300]


@pytest.mark.parametrize("name", reading.TEXTS)
def test_grafana_knows_every_field(name: str, schemas: Mapping[str, Any]) -> None:
    assert list(errors(reading.BOARDS[name], schemas)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("refesh",), "30s"),
        (("refresh",), 30),
        (("panels", 0, "options", "colourMode"), "value"),
        (("panels", 0, "options", "colorMode"), "vlaue"),
        (("panels", 0, "fieldConfig", "defaults", "unti"), "s"),
        (("panels", 0, "gridPos", "w"), "4"),
        (("panels", 6, "fieldConfig", "defaults", "custom", "fillOpacity"), "80"),
        (("templating", "list", 0, "nmae"), "x"),
    ],
    ids=str,
)
def test_mistakes_are_found(path: tuple[str | int, ...], value: object, schemas: Mapping[str, Any]) -> None:
    board: Any = copy.deepcopy(reading.BOARDS[f"dashboards/{FAMILY}.json"])
    place = board
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert list(errors(board, schemas)) != []
