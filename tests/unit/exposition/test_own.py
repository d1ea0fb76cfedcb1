"""The exporter's metrics about itself and its process."""

import os
import pathlib
import time

from exporter.exposition import own, process
from exporter.kube.status import WatchStatus
from exporter.model.changes import Sync


def status(sync: Sync, *, last_event_at: float | None = None) -> WatchStatus:
    return WatchStatus(
        resource="pods",
        sync=sync,
        objects=7,
        events=5,
        received_bytes=900,
        relists=1,
        watches=3,
        malformed=0,
        errors={"timeout": 3, "http_429": 1},
        last_event_at=last_event_at,
    )


def values(source: own.OwnSource | process.ProcessSource) -> dict[str, float]:
    return {
        " ".join([sample.family.exposed_name.removeprefix("kubevirt_upgrade_exporter_"), *sample.labels]): sample.value
        for sample in source.samples(0)
    }


def source_of(*statuses: WatchStatus) -> own.OwnSource:
    return own.OwnSource(version="1.2.3", resources=lambda: statuses)


def test_a_resource_is_described_by_its_statistics() -> None:
    found = values(source_of(status(Sync.SYNCED, last_event_at=12.5)))
    assert found["resource_synced pods"] == 1
    assert found["resource_state pods synced"] == 1
    assert found["resource_state pods forbidden"] == 0
    assert found["objects pods"] == 7
    assert found["watch_events_total pods"] == 5
    assert found["received_bytes_total pods"] == 900
    assert found["relists_total pods"] == 1
    assert found["watch_restarts_total pods"] == 2
    assert found["malformed_objects_total pods"] == 0
    assert found["api_errors_total pods timeout"] == 3
    assert found["last_event_timestamp_seconds pods"] == 12.5


def test_objects_are_unknown_before_the_first_list() -> None:
    """None held is not none there."""
    for sync in (Sync.UNKNOWN, Sync.FORBIDDEN, Sync.ABSENT):
        found = values(source_of(status(sync)))
        assert found["resource_synced pods"] == 0
        assert "objects pods" not in found
        assert "last_event_timestamp_seconds pods" not in found


def test_a_cut_watch_keeps_its_objects_and_is_not_in_sync() -> None:
    found = values(source_of(status(Sync.INTERRUPTED)))
    assert found["objects pods"] == 7
    assert found["resource_synced pods"] == 0


def test_the_lag_is_unknown_until_a_deadline_was_due() -> None:
    source = source_of()
    assert "deadline_lag_seconds" not in values(source)
    source.deadline_lag = 0.0
    assert values(source)["deadline_lag_seconds"] == 0


def test_durations_are_counted_in_rising_buckets() -> None:
    durations = own.Durations(own.PAGE)
    for seconds in (0.001, 0.004, 0.004, 7.0):
        durations.observe(seconds)
    seen = durations.distribution()
    assert seen.counts == (1, 1, 3, 3, 3, 3, 3, 3, 3, 3, 4)
    assert seen.total == 7.009


def test_the_process_describes_itself() -> None:
    found = values(process.ProcessSource())
    assert found["process_cpu_seconds_total"] > 0
    assert 1_000_000 < found["process_resident_memory_bytes"] < found["process_virtual_memory_bytes"]
    assert found["process_start_time_seconds"] < time.time()
    assert found["process_open_fds"] <= found["process_max_fds"]


def test_open_files_are_counted(tmp_path: pathlib.Path) -> None:
    before = values(process.ProcessSource())["process_open_fds"]
    opened = os.open(tmp_path, os.O_RDONLY)
    try:
        assert values(process.ProcessSource())["process_open_fds"] == before + 1
    finally:
        os.close(opened)


def test_what_the_system_does_not_tell_is_missing(tmp_path: pathlib.Path) -> None:
    assert set(values(process.ProcessSource(proc=tmp_path))) == {"process_cpu_seconds_total", "process_max_fds"}
