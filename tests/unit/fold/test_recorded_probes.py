"""PROBE lines of recordings go through the accounting of live probes; stored versions are told of real CRDs."""

import datetime as dt
import gzip
import json
import math
import pathlib
from typing import Any

import pytest

from exporter.fold import Fold
from exporter.model.report import Report
from exporter.recording.reader import Recording
from exporter.settings import Settings

STAGED = "upgrade-1.2.0-1.3.0-1.4.0-staged.jsonl.gz"


def replayed(path: pathlib.Path) -> list[Report]:
    fold = Fold(Settings(), exporter_version="test")
    with Recording(path) as recording:
        for change in recording.changes():
            fold.feed(change)
    return fold.reports(fold.last)


@pytest.fixture(scope="module")
def staged(recordings: pathlib.Path) -> list[Report]:
    return replayed(recordings / STAGED)


def test_the_first_hop_bars_the_way_back_and_the_second_does_not(staged: list[Report]) -> None:
    """1.3 stores snapshots and exports in a version that 1.2 does not know."""
    first, second = staged
    assert first.api.storage_blocked == tuple(
        f"{crd}: v1beta1 blocks rollback to 1.2"
        for crd in (
            "virtualmachineexports.export.kubevirt.io",
            "virtualmachinerestores.snapshot.kubevirt.io",
            "virtualmachinesnapshotcontents.snapshot.kubevirt.io",
            "virtualmachinesnapshots.snapshot.kubevirt.io",
        )
    )
    assert second.api.storage_blocked == ()


def test_nothing_was_lost_and_no_probe_failed(staged: list[Report]) -> None:
    for report in staged:
        assert report.api.versions_lost == ()
        assert {part.lost for part in report.retention.objects.values()} == {0}
        assert {probe.disruption_seconds for probe in report.api.probes} == {0}
        assert all(probe.measured_seconds > 400 for probe in report.api.probes)


def test_failed_lines_become_seconds(recordings: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """One probe fails for a while by itself, and later all of them with the control probe."""
    alone, together = range(120, 127), range(300, 305)
    expected: dict[str, set[int]] = {"alone": set(), "together": set()}
    broken = tmp_path / "broken.jsonl"
    begin = 0.0
    with gzip.open(recordings / STAGED, "rt") as lines, broken.open("w") as out:
        for line in lines:
            body: dict[str, Any] = json.loads(line)
            if body.get("type") == "PROBE":
                sent = dt.datetime.fromisoformat(body["at"]).timestamp()
                begin = begin or math.floor(sent)
                second = math.floor(sent) - begin
                if second in alone and body["probe"] == "vm-list-v1":
                    body |= {"status": 503}
                    expected["alone"].add(math.floor(sent))
                elif second in together:
                    body |= {"status": 0, "error": "connection refused"}
                    if body["probe"] == "vm-list-v1":
                        expected["together"].add(math.floor(sent))
            out.write(json.dumps(body) + "\n")
    first = replayed(broken)[0]
    by_name = {probe.probe: probe for probe in first.api.probes}
    assert {name: probe.disruption_seconds for name, probe in by_name.items() if probe.disruption_seconds} == {
        "vm-list-v1": len(expected["alone"])
    }
    assert by_name["vm-list-v1"].cluster_seconds == len(expected["together"])
    assert by_name["vm-list-v1"].failures == {"connect": len(together), "http_5xx": len(alone)}
    assert all(probe.cluster_seconds == pytest.approx(len(together), abs=1) for probe in by_name.values())
