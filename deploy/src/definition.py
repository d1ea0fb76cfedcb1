"""The CustomResourceDefinition of UpgradeReport: its status is the report of `exporter.model.report`, and what we add.

The schema is made from the types; what a field means is said in `TEXTS`, which a test compares with the fields. Nothing
is required, nothing has a default, and words are not enumerated: Helm leaves a definition that is there as it is, an
older one must not refuse what a newer exporter writes, and a newer one not what an older exporter wrote.
"""

import enum
import types
from collections.abc import Mapping
from typing import Any, Final, Union, get_args, get_origin

import msgspec
import yaml

from exporter.model import report

Schema = dict[str, Any]

NOTICE: Final = "Written by `make generate` from exporter/model/report.py; do not edit."
NAME: Final = "upgradereports.kubevirt-upgrade-exporter.io"

TEXTS: Final[Mapping[str, str]] = {
    "Report": "One session: one transition of KubeVirt from one version and deployment id to another. Times are RFC"
    " 3339 UTC. What was not observed is null, never 0.",
    "Report.fromVersion": "Version of KubeVirt at the start.",
    "Report.toVersion": "Version of KubeVirt that is the target.",
    "Report.kind": "What the session is.",
    "Report.deploymentId": "The target's deployment id in the KubeVirt resource; null until that names the target.",
    "Report.clusterUID": "UID of the KubeVirt resource.",
    "Report.exporterVersion": "Version of the exporter that wrote this.",
    "Report.phase": "Where the session is, or how it ended.",
    "Report.progress": "Pods at the target and ready by pods desired, 0 to 1; it never goes back.",
    "Report.stalled": "Components whose turn it is and which have made no progress for too long.",
    "Report.startedAt": "When the session began.",
    "Report.reportedCompleteAt": "When the KubeVirt resource said that the target is reached.",
    "Report.observedCompleteAt": "The first moment at which all pods of all components were at the target and ready,"
    " none was old, and each leader was at the target.",
    "Report.workloadsCompleteAt": "When no guest was left that waits for a new launcher.",
    "Report.endedAt": "When the session ended.",
    "Report.observedUntil": "What the report says is as of this moment.",
    "Report.verdict": "How it went; null while that can still change.",
    "Report.verdictSoFar": "What the verdict would be if the session ended now.",
    "Report.findings": "What a person should read, the most important first.",
    "Report.components": "Each component's rollout.",
    "Report.continuity": "What happened to the guests.",
    "Report.migrations": "Live migrations in the session.",
    "Report.leadership": "Each lease's hand-overs.",
    "Report.api": "The API as clients saw it: each figure the worse of all replicas that have written here.",
    "Report.retention": "Is everything still there.",
    "Report.slos": "The objectives of the session.",
    "Finding.check": "What was found, as one word.",
    "Finding.severity": "How grave it is.",
    "Finding.summary": "The same for people.",
    "ComponentReport.name": "The workload's name.",
    "ComponentReport.fromVersion": "Its version at the start.",
    "ComponentReport.toVersion": "Its version at the target.",
    "ComponentReport.startedAt": "When its template moved to the target.",
    "ComponentReport.completedAt": "The first moment at which all its pods were at the target and ready and none old.",
    "ComponentReport.desired": "Pods wanted.",
    "ComponentReport.updated": "Pods at the target.",
    "ComponentReport.ready": "Pods at the target and ready.",
    "ComponentReport.restarts": "Container restarts of pods at the target.",
    "ContinuityReport.baseline": "Guests that were running when the session began; null where that was not seen.",
    "ContinuityReport.migrated": "Live migrations that succeeded.",
    "ContinuityReport.interrupted": "Guests that lost their running instance without anybody asking for it.",
    "ContinuityReport.interruptionSeconds": "Seconds that these were without an instance, all together.",
    "ContinuityReport.asked": "Guests that somebody asked to stop.",
    "ContinuityReport.duplicateLaunchers": "Times a guest was found with two launchers running for too long.",
    "ContinuityReport.unattributed": "Guests that lost their instance while nobody was looking.",
    "ContinuityReport.unobservedSeconds": "Seconds of the session that went unobserved.",
    "ContinuityReport.anomalies": "Guests to look at, up to a limit.",
    "ContinuityReport.anomaliesDropped": "Anomalies beyond that limit.",
    "Interrupted.total": "All of them.",
    "Interrupted.byReason": "The same by reason.",
    "Anomaly.namespace": "The guest's namespace.",
    "Anomaly.name": "The guest's name.",
    "Anomaly.kind": "What happened to it.",
    "Anomaly.at": "When.",
    "MigrationsReport.succeeded": "Migrations that succeeded.",
    "MigrationsReport.failed": "Migrations that failed.",
    "MigrationsReport.inFlight": "Migrations that have not finished.",
    "MigrationsReport.outdated": "Running guests with an old launcher.",
    "MigrationsReport.stranded": "Of these, those that will not change by themselves.",
    "LeaderReport.component": "The component, which is the lease's name.",
    "LeaderReport.transitions": "Times the lease went to another holder.",
    "LeaderReport.leaderlessSeconds": "Seconds in which nobody led.",
    "LeaderReport.longestGapSeconds": "The longest of these gaps.",
    "ProbeReport.probe": "The probe's name.",
    "ProbeReport.connection": "Whether the connection was reused or new.",
    "ProbeReport.measuredSeconds": "Seconds in which a request was sent; of others nothing is known.",
    "ProbeReport.disruptionSeconds": "Of these, those in which it failed although the API server itself answered.",
    "ProbeReport.clusterSeconds": "Of these, those in which the API server itself did not answer.",
    "ProbeReport.clientSeconds": "Of these, those in which it failed on our own side.",
    "ProbeReport.failures": "Failed requests by reason.",
    "ApiReport.probesConfigured": "Probes that were to be measured.",
    "ApiReport.probes": "What they measured.",
    "ApiReport.versionsLost": "Versions of resources that were served at the start and are not now.",
    "ApiReport.storageBlocked": "Stored versions that bar the way to a release.",
    "RetentionReport.before": "Objects at the start.",
    "RetentionReport.after": "Objects now, or at the end.",
    "RetentionReport.created": "Objects created.",
    "RetentionReport.deleted": "Objects deleted.",
    "RetentionReport.lost": "Objects that are gone without an explanation.",
    "RetentionReport.recreated": "Objects that came back with another UID.",
    "RetentionReport.specChanged": "Objects whose spec somebody other than KubeVirt changed.",
    "Retention.objects": "By resource.",
    "SloReport.slo": "Its name.",
    "SloReport.objective": "What is allowed.",
    "SloReport.consumedRatio": "Share of the budget that is gone, more than 1 is exhausted; null where not known.",
    "SloReport.state": "How it stands.",
}  # fmt: skip

_SUMMARY: Final[Mapping[str, str]] = {
    "progress": "Progress in percent.",
    "interrupted": "Guests interrupted, and how many losses could not be explained.",
    "apiDisruption": "Disruption of the API in the worst probe.",
    "verdict": "The verdict, or what it would be now.",
}
_SET_ASIDE: Final[Mapping[str, str]] = {
    "at": "When it was set aside.",
    "why": "What was wrong with it.",
    "state": "What was in `state`.",
}
_COLUMNS: Final = (
    ("From", "string", ".status.fromVersion"),
    ("To", "string", ".status.toVersion"),
    ("Phase", "string", ".status.phase"),
    ("Progress", "string", ".status.summary.progress"),
    ("Interrupted", "string", ".status.summary.interrupted"),
    ("API-Disruption", "string", ".status.summary.apiDisruption"),
    ("Verdict", "string", ".status.summary.verdict"),
    ("Age", "date", ".metadata.creationTimestamp"),
)


def definition() -> Schema:
    """The CustomResourceDefinition."""
    status = schema(report.Report)
    status["properties"] |= {
        "summary": _texts("The figures that `kubectl get` shows, for people.", _SUMMARY),
        "state": {
            "type": "string",
            "description": "What the exporter needs to go on after a restart, as JSON of its own. Not for others.",
        },
        "setAside": {
            "type": "array",
            "description": "States that the exporter could not read, kept for people.",
            "items": _texts("One of them.", _SET_ASIDE),
        },
    }
    names = {"kind": "UpgradeReport", "listKind": "UpgradeReportList", "plural": "upgradereports"}
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            {"name": name, "type": kind, "jsonPath": path} for name, kind, path in _COLUMNS
        ],
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "description": "What became of one upgrade of KubeVirt, as kubevirt-upgrade-exporter has observed it."
                " Annotate it as you like; the annotation kubevirt-upgrade-exporter.io/close closes the session.",
                "properties": {
                    "apiVersion": {"type": "string"},
                    "kind": {"type": "string"},
                    "metadata": {"type": "object"},
                    "status": status,
                },
            }
        },
    }  # fmt: skip
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": NAME},
        "spec": {
            "group": NAME.partition(".")[2],
            "scope": "Namespaced",
            "names": {**names, "singular": "upgradereport"},
            "versions": [version],
        },
    }


def text() -> str:
    """The same as a file."""
    return f"# {NOTICE}\n" + yaml.safe_dump(definition(), sort_keys=False, width=120)


def schema(annotation: Any) -> Schema:  # noqa: ANN401 - any type of a field
    """The structural schema of a type of the report.

    Raises TypeError: no field has been of such a type so far. Raises KeyError: a field is not described.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        [inner] = [argument for argument in arguments if argument is not type(None)]
        return schema(inner) | {"nullable": True}
    if origin is tuple:
        return {"type": "array", "items": schema(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema(arguments[1])}
    if issubclass(annotation, enum.Enum):
        return {"type": "string"}
    if issubclass(annotation, msgspec.Struct):
        return _struct(annotation)
    simple: Mapping[Any, Schema] = {
        str: {"type": "string"}, int: {"type": "integer", "format": "int64"}, float: {"type": "number"},
    }  # fmt: skip
    if annotation not in simple:
        raise TypeError(f"no schema for {annotation}")
    return dict(simple[annotation])


def _struct(struct: type[msgspec.Struct]) -> Schema:
    properties = {}
    for field in msgspec.structs.fields(struct):
        described = {"description": TEXTS[f"{struct.__name__}.{field.encode_name}"] + _words(field.type)}
        properties[field.encode_name] = described | _timed(field.encode_name, schema(field.type))
    text = TEXTS.get(struct.__name__)
    return {"type": "object", **({"description": text} if text else {}), "properties": properties}


def _words(annotation: Any) -> str:  # noqa: ANN401 - any type of a field
    """The values there are, where the field holds one of a few words."""
    kinds = [
        kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type) and issubclass(kind, enum.Enum)
    ]
    values = [member.value for kind in kinds for member in kind if member is not report.Phase.IDLE]
    return f" One of: {', '.join(values)}." if values else ""


def _timed(name: str, plain: Schema) -> Schema:
    """Moments are texts once they are encoded."""
    if plain["type"] == "number" and (name == "at" or name.endswith("At") or name == "observedUntil"):
        return plain | {"type": "string", "format": "date-time"}
    return plain


def _texts(text: str, properties: Mapping[str, str]) -> Schema:
    return {
        "type": "object",
        "description": text,
        "properties": {name: {"type": "string", "description": said} for name, said in properties.items()},
    }
