"""A history: pages at the multiples of a step, each as of its moment, as one OpenMetrics text."""

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser

from exporter.exposition import history
from exporter.model.changes import Change, ListReplaced, Sync, SyncChanged, TimePassed
from exporter.model.families import Distribution, Family, Kind, Sample

COUNT = Family(name="changes", kind=Kind.GAUGE, help="Changes so far.", labels=("who",))
EVENTS = Family(name="events", kind=Kind.COUNTER, help="Events.")
SECONDS = Family(name="seconds", kind=Kind.HISTOGRAM, help="Seconds.", buckets=(1.0,))
INFO = Family(name="thing", kind=Kind.INFO, help="A thing.", labels=("version",))


class Counting:
    """A fold that counts what it is fed, wants a deadline once, and shows its count."""

    name = "counting"
    families: tuple[Family, ...] = (COUNT, EVENTS, INFO)
    active = True

    def __init__(self, *, due: float | None = None) -> None:
        self._due = due
        self.fed: list[float] = []

    def feed(self, change: Change) -> None:
        self.fed.append(change.at)
        if self._due is not None and change.at >= self._due:
            self._due = None

    def deadline(self) -> float | None:
        return self._due

    def sources(self) -> list["Counting"]:
        return [self]

    def samples(self, now: float) -> list[Sample]:
        seen = [at for at in self.fed if at <= now]
        assert seen == self.fed, "a page must not know what comes after its moment"
        first = [COUNT(len(seen), who="a")] if len(seen) != 1 else []
        return [
            *first,
            EVENTS(len(seen)),
            INFO(1, version=f"v{len(seen)}"),
        ]


class Timing(Counting):
    """The same, as a histogram: the client library's parser cannot read one with timestamps."""

    families: tuple[Family, ...] = (SECONDS,)

    def samples(self, now: float) -> list[Sample]:
        return [SECONDS.histogram(Distribution((0, len(self.fed)), 0.5))]


def taken(fold: Counting, *changes: float, started: float, end: float, step: float = 10.0) -> str:
    taking = history.History(fold, version="1.2.3", started=started, step=step, on_failure=fail)
    for at in changes:
        taking.feed(TimePassed(at=at))
    taking.end(end)
    return b"".join(taking.text()).decode()


def fail(name: str, error: Exception) -> None:
    pytest.fail(f"{name}: {error!r}")


def parsed(text: str) -> list[Metric]:
    return list(parser.text_string_to_metric_families(text))  # type: ignore[no-untyped-call]


def points(text: str, name: str) -> list[tuple[float, float]]:
    return [
        (float(sample.timestamp or 0), sample.value)
        for family in parsed(text)
        for sample in family.samples
        if sample.name == f"kubevirt_upgrade_{name}"
    ]


def test_pages_lie_on_the_multiples_of_the_step_and_at_the_end() -> None:
    text = taken(Counting(), 1003, started=1001, end=1034.5)
    assert [at for at, _ in points(text, "events_total")] == [1010, 1020, 1030, 1034.5]


def test_each_page_is_as_of_its_moment() -> None:
    text = taken(Counting(), 1003, 1010, 1011, 1025, started=1000, end=1030)
    assert points(text, "events_total") == [(1000, 0), (1010, 2), (1020, 3), (1030, 4)]


def test_deadlines_fire_before_the_page_of_their_moment() -> None:
    fold = Counting(due=1015)
    text = taken(fold, 1001, 1040, started=1000, end=1040)
    assert fold.fed == [1001, 1015, 1040]
    assert points(text, "events_total") == [(1000, 0), (1010, 1), (1020, 2), (1030, 2), (1040, 3)]


def test_a_series_has_points_only_where_the_page_had_it() -> None:
    text = taken(Counting(), 1003, 1013, started=1000, end=1020)
    assert points(text, "changes") == [(1000, 0), (1020, 2)]


def test_the_text_is_valid_openmetrics_with_each_family_and_metric_in_one_piece() -> None:
    text = taken(Counting(), 1003, 1013, started=1000, end=1020)
    families = parsed(text)  # refuses scattered families and metrics
    assert [family.name for family in families] == sorted(family.name for family in families)
    assert {family.type for family in families} == {"gauge", "counter", "info"}
    assert text.endswith("# EOF\n")
    assert text.count("# EOF") == 1


def test_it_says_of_itself_what_a_recording_tells() -> None:
    fold = Counting()
    taking = history.History(fold, version="1.2.3", started=1000, step=10, on_failure=fail)
    taking.feed(SyncChanged(at=1005, resource="nodes", state=Sync.FORBIDDEN))
    taking.feed(ListReplaced(at=1015, resource="nodes", added=(), changed=(), removed=(), initial=True))
    taking.end(1020)
    text = b"".join(taking.text()).decode()
    assert points(text, "exporter_resource_synced") == [(1010, 0), (1020, 1)]
    assert 'kubevirt_upgrade_exporter_resource_state{resource="nodes",state="forbidden"} 1.0 1010.0' in text
    assert points(text, "exporter_build_info") == [(1000, 1), (1010, 1), (1020, 1)]


def test_a_histogram_keeps_its_points_together() -> None:
    text = taken(Timing(), 1003, started=1000, end=1010)
    assert [line for line in text.splitlines() if line.startswith("kubevirt_upgrade_seconds")] == [
        'kubevirt_upgrade_seconds_bucket{le="1.0"} 0.0 1000.0',
        'kubevirt_upgrade_seconds_bucket{le="+Inf"} 0.0 1000.0',
        "kubevirt_upgrade_seconds_count 0.0 1000.0",
        "kubevirt_upgrade_seconds_sum 0.5 1000.0",
        'kubevirt_upgrade_seconds_bucket{le="1.0"} 0.0 1010.0',
        'kubevirt_upgrade_seconds_bucket{le="+Inf"} 1.0 1010.0',
        "kubevirt_upgrade_seconds_count 1.0 1010.0",
        "kubevirt_upgrade_seconds_sum 0.5 1010.0",
    ]


def test_the_same_changes_give_the_same_text() -> None:
    assert taken(Counting(), 1003, started=1000, end=1100) == taken(Counting(), 1003, started=1000, end=1100)
