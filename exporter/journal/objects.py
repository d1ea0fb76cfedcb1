"""What an UpgradeReport looks like: its name, its status, and how to read one back. Pure.

The status is the report as everywhere else, and beside it `summary` (for `kubectl get`), `state` (what a restart needs)
and `setAside` (states that could not be read). The definition is in `deploy/`.
"""

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from exporter.model.report import Report
from exporter.report import decode, encode, slos

GROUP: Final = "kubevirt-upgrade-exporter.io"
VERSION: Final = "v1alpha1"
PLURAL: Final = "upgradereports"
KIND: Final = "UpgradeReport"
LABELS: Final = {"app.kubernetes.io/managed-by": "kubevirt-upgrade-exporter"}
CLOSE: Final = f"{GROUP}/close"
"""The annotation by which a person closes the session; its value is for people."""
MOST_SET_ASIDE: Final = 3
"""An object must fit into etcd: 1.5 MB."""

_LONGEST_VERSION: Final = 60


class SetAside(msgspec.Struct, frozen=True, kw_only=True):
    """A state that we could not read."""

    at: str
    why: str
    state: str


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """An UpgradeReport as it was read."""

    name: str
    uid: str
    version: str
    """The resource version, opaque."""
    created: dt.datetime
    closed: bool
    """A person wants the session to end."""
    report: Report | None
    """None where there is none, or where it could not be read."""
    trouble: str
    """Why it could not be read."""
    state: str
    set_aside: tuple[SetAside, ...]


class Metadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What we use of an object's metadata."""

    name: str
    uid: str
    resource_version: str
    creation_timestamp: dt.datetime
    annotations: dict[str, str] | None = None


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """An object in a list, or alone."""

    metadata: Metadata
    status: dict[str, Any] | None = None


class _Beside(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the status holds beside the report."""

    state: str = ""
    set_aside: tuple[SetAside, ...] = ()


def read(item: Item) -> Stored:
    """The object; whatever is wrong with its status is told, not raised."""
    report, trouble, beside = None, "", _Beside()
    if item.status:
        try:
            beside = msgspec.convert(item.status, _Beside)
            read = decode.report(item.status)
            encode.document(read)  # a moment at the end of the calendar can be read, and not be shown
            report = read
        except (ValueError, OverflowError) as error:  # msgspec's errors are ValueErrors
            trouble = str(error)
    metadata = item.metadata
    return Stored(
        name=metadata.name,
        uid=metadata.uid,
        version=metadata.resource_version,
        created=metadata.creation_timestamp,
        closed=CLOSE in (metadata.annotations or {}),
        report=report,
        trouble=trouble,
        state=beside.state,
        set_aside=beside.set_aside,
    )


def name_of(report: Report, *, taken: Sequence[str] = ()) -> str:
    """A name by start and target, such as `20260819-091203-v1.4.0`, so that a list is in order of time."""
    begun = dt.datetime.fromtimestamp(report.started_at, tz=dt.UTC).strftime("%Y%m%d-%H%M%S")
    plain = re.sub(r"[^a-z0-9.]+", "-", (report.to_version or "unknown").lower())[:_LONGEST_VERSION]
    labels = [label.strip("-") for label in plain.split(".")]
    name = f"{begun}-{'.'.join(filter(None, labels)) or 'unknown'}"
    number = 2
    while name in taken:
        name = f"{begun}-{'.'.join(filter(None, labels)) or 'unknown'}-{number}"
        number += 1
    return name


def new(name: str, namespace: str) -> dict[str, Any]:
    """An object to be created."""
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {"name": name, "namespace": namespace, "labels": LABELS},
    }


def status(report: Report, *, state: str | None = None, set_aside: Sequence[SetAside] = ()) -> dict[str, Any]:
    """The status of an object. Of the states set aside the last few are kept."""
    document = encode.document(report) | {"summary": summary(report)}
    if state is not None:
        document["state"] = state
    if set_aside:
        document["setAside"] = msgspec.to_builtins(set_aside[-MOST_SET_ASIDE:])
    return document


def summary(report: Report) -> dict[str, str]:
    """The columns of `kubectl get`; a column without a value says that nothing is known."""
    continuity = report.continuity
    interrupted = str(continuity.interrupted.total)
    if continuity.unattributed:
        interrupted += f" (+{continuity.unattributed} unattributed)"
    texts = {"progress": f"{int(report.progress * 100)}%", "interrupted": interrupted}
    measured = [
        row.disruption_seconds
        for row in report.api.probes
        if row.probe != slos.CONTROL_PROBE and row.measured_seconds
    ]  # fmt: skip
    if measured:
        texts["apiDisruption"] = f"{max(measured):g}s"
    if report.verdict is not None:
        texts["verdict"] = report.verdict.value
    elif report.verdict_so_far is not None:
        texts["verdict"] = f"{report.verdict_so_far.value} so far"
    return texts
