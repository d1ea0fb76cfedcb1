"""The CustomResourceDefinition of UpgradeReport: every field described, every report valid, nothing required."""

import copy
from typing import Any

import jsonschema
import msgspec
import pytest

from deploy.src import definition
from exporter.model import report as r
from exporter.report import encode
from tests.unit.report.examples import REPORT

Json = dict[str, Any]


def status_schema() -> Json:
    [version] = definition.definition()["spec"]["versions"]
    status: Json = version["schema"]["openAPIV3Schema"]["properties"]["status"]
    return status


def strict(schema: Json) -> Json:
    """As an API server would see it that refuses what it would prune, with `nullable` in the words of JSON Schema."""
    made = copy.deepcopy(schema)
    if "properties" in made:
        made["additionalProperties"] = False
        made["properties"] = {name: strict(below) for name, below in made["properties"].items()}
    if isinstance(made.get("additionalProperties"), dict):
        made["additionalProperties"] = strict(made["additionalProperties"])
    if "items" in made:
        made["items"] = strict(made["items"])
    if made.pop("nullable", False):
        made["type"] = [made["type"], "null"]
    return made


def errors(document: Json) -> list[str]:
    found = jsonschema.Draft202012Validator(strict(status_schema())).iter_errors(document)
    return [f"{error.json_path}: {error.message}" for error in found]


def test_each_field_of_the_report_is_described_and_no_other() -> None:
    structs = [REPORT, *REPORT.findings, *REPORT.components, REPORT.continuity, REPORT.continuity.interrupted]
    structs += [*REPORT.continuity.anomalies, REPORT.migrations, *REPORT.leadership, REPORT.api, *REPORT.api.probes]
    structs += [REPORT.retention, *REPORT.retention.objects.values(), *REPORT.slos]
    fields = {
        f"{type(struct).__name__}.{field.encode_name}" for struct in structs for field in msgspec.structs.fields(struct)
    }
    assert set(definition.TEXTS) == fields | {"Report"}


def test_reports_are_valid() -> None:
    assert errors(encode.document(REPORT)) == []
    done = msgspec.structs.replace(REPORT, verdict=r.Verdict.PASSED, phase=r.Phase.COMPLETED, ended_at=5.0)
    more = {"state": "{}", "summary": {"verdict": "passed"}, "setAside": [{"at": "", "why": "", "state": ""}]}
    assert errors(encode.document(done) | more) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"progress": "much"},
        {"fromVersions": "v1.3.0"},
        {"startedAt": 5},
        {"phase": None},
        {"continuity": {"interrupted": {"byReason": {"failed": "one"}}}},
    ],
)
def test_what_is_no_report_is_refused(wrong: Json) -> None:
    assert errors(encode.document(REPORT) | wrong)


def test_reports_of_other_releases_are_valid() -> None:
    """They lack what came later, or have words that came later; Helm does not replace a definition that is there."""
    assert errors({}) == []
    assert errors({"fromVersion": "v1.3.0"}) == []
    assert errors({"phase": "suspended", "verdict": "splendid", "slos": [{"state": "exceeded"}]}) == []


def test_the_words_there_are_now_are_told() -> None:
    described = status_schema()["properties"]["verdictSoFar"]["description"]
    assert described.endswith("One of: passed, failed, inconclusive.")
    assert "idle" not in status_schema()["properties"]["phase"]["description"]


def test_the_columns_are_those_a_person_wants() -> None:
    [version] = definition.definition()["spec"]["versions"]
    columns = [column["name"].upper() for column in version["additionalPrinterColumns"]]
    assert columns == ["FROM", "TO", "PHASE", "PROGRESS", "INTERRUPTED", "API-DISRUPTION", "VERDICT", "AGE"]
    known = version["schema"]["openAPIV3Schema"]["properties"]
    for column in version["additionalPrinterColumns"]:
        first, *rest = column["jsonPath"].split(".")[1:]
        at = known[first]
        for name in rest if first == "status" else ():
            at = at["properties"][name]
