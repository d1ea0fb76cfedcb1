"""Reports as JSON."""

import json
from collections.abc import Iterator

import msgspec
from msgspec import inspect as types

from exporter.model.report import Report
from exporter.report import encode
from tests.unit.report.examples import REPORT

DESCRIBED = types.StructType(Report, types.type_info(Report).fields)  # type: ignore[attr-defined]


def test_moments_are_rfc_3339_utc_and_amounts_are_numbers() -> None:
    [report] = json.loads(encode.as_json([REPORT]))
    assert report["startedAt"] == "2023-11-14T22:13:20.800Z"
    assert report["observedUntil"] == "2023-11-14T22:21:20.123Z"
    assert report["continuity"]["anomalies"][0]["at"] == "2023-11-14T22:18:20.250Z"
    assert report["components"][0]["completedAt"] == "2023-11-14T22:13:49.900Z"
    assert report["continuity"]["interruptionSeconds"] == 12.346
    assert report["progress"] == 1.0
    assert report["continuity"]["baseline"] == 20


def test_a_moment_that_is_a_whole_number_is_still_a_moment() -> None:
    assert encode.document(REPORT)["observedCompleteAt"] == "2023-11-14T22:18:57.000Z"


def test_a_moment_is_rounded_and_not_cut() -> None:
    assert encode.moment(0.9999) == "1970-01-01T00:00:01.000Z"


def test_what_was_not_observed_is_null() -> None:
    report = encode.document(REPORT)
    assert report["endedAt"] is None
    assert report["clusterUID"] is None
    assert report["components"][1]["ready"] is None
    assert report["retention"]["objects"]["virtualmachinepools.pool.kubevirt.io"]["before"] is None


def test_names_that_are_keys_stay_as_they_are() -> None:
    """A reason or a resource is data, however much it looks like a field."""
    report = msgspec.structs.replace(
        REPORT,
        continuity=msgspec.structs.replace(
            REPORT.continuity, interrupted=msgspec.structs.replace(REPORT.continuity.interrupted, by_reason={"by_x": 1})
        ),
    )
    assert encode.document(report)["continuity"]["interrupted"] == {"total": 1, "byReason": {"by_x": 1}}


def test_the_same_report_gives_the_same_bytes_on_one_line_or_indented() -> None:
    compact, indented = encode.as_json([REPORT]), encode.as_json([REPORT], indent=2)
    assert compact == encode.as_json([REPORT])
    assert compact.count(b"\n") == 1
    assert indented.startswith(b'[\n  {\n    "fromVersion"')
    assert json.loads(compact) == json.loads(indented)
    assert encode.as_json([]) == b"[]\n"


def test_every_number_of_a_report_is_known_as_moment_or_amount() -> None:
    """A new field whose name hides that it is a moment would be shown as a number: look at it, then add it here."""
    moments = {name for name in numbers(DESCRIBED) if encode.is_moment(name)}
    amounts = {name for name in numbers(DESCRIBED) if not encode.is_moment(name)}
    assert moments == {
        "at",
        "completedAt",
        "endedAt",
        "observedCompleteAt",
        "observedUntil",
        "reportedCompleteAt",
        "startedAt",
        "workloadsCompleteAt",
    }
    assert {name for name in amounts if "econds" not in name} == {"consumedRatio", "progress"}


def numbers(described: types.StructType) -> Iterator[str]:
    """The encoded names of all fields of type float, at any depth."""
    for field in described.fields:
        for inner in parts(field.type):
            if isinstance(inner, types.FloatType):
                yield field.encode_name
            elif isinstance(inner, types.StructType):
                yield from numbers(inner)


def parts(described: types.Type) -> Iterator[types.Type]:
    match described:
        case types.UnionType(types=members):
            for member in members:
                yield from parts(member)
        case types.VarTupleType(item_type=item) | types.DictType(value_type=item):
            yield from parts(item)
        case _:
            yield described
