"""Whatever lies in the cluster, a process begins: it goes on from what it can read, and tells what it cannot."""

import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from exporter.fold import Fold
from exporter.journal import objects, resuming, state
from exporter.journal.objects import Stored
from exporter.model import resources
from exporter.model.report import Phase, Report
from exporter.model.store import Store
from exporter.report import encode
from exporter.settings import Settings
from tests.cluster import NEW, Cluster
from tests.unit.report.examples import REPORT

ODD: tuple[Any, ...] = (None, True, -1, 1e300, 10**400, "x", [], {}, [[]], {"x": 1}, [None])


def eventful() -> Cluster:
    """Something in every part of the snapshot."""
    cluster = Cluster(guests=9).list_all()
    cluster.begin_upgrade()
    cluster.roll("virt-handler", NEW)
    cluster.change(resources.VMIS, "team/vm-0", phase="Failed")
    cluster.wait(40)
    cluster.change(resources.VMIS, "team/vm-1", phase="Failed")
    cluster.put(resources.MIGRATIONS, cluster.migration("one", "vm-2"))
    cluster.change(resources.VMS, "team/vm-3", stop_requests=("vmi-vm-3",))
    cluster.put(resources.LAUNCHERS, cluster.launcher("vm-4", "vmi-vm-4", serial=7))
    return cluster


CLUSTER = eventful()
NOW = CLUSTER.now + 30
SNAPSHOT: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(CLUSTER.fold.snapshot()))


def new() -> Fold:
    return Fold(Settings(), exporter_version="test")


def stored(name: str, *, report: Report | None = None, text: str = "", trouble: str = "") -> Stored:
    return Stored(
        name=name,
        uid=name,
        version="1",
        created=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        closed=False,
        report=report,
        trouble=trouble,
        state=text,
        set_aside=(),
    )


def encoded(snapshot: dict[str, Any]) -> str:
    return state.encode(snapshot).text


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401
    """Every place in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, below in inner for found in places(below, (*path, key)))]


PLACES = places(SNAPSHOT)[1:]


def damaged(place: tuple[Any, ...], value: object, *, remove: bool) -> dict[str, Any]:
    snapshot: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(SNAPSHOT))
    *above, last = place
    part: Any = snapshot
    for key in above:
        part = part[key]
    if remove:
        del part[last]
    else:
        part[last] = value
    return snapshot


@settings(max_examples=1000)
@given(place=st.sampled_from(PLACES), value=st.sampled_from(ODD), remove=st.booleans())
def test_a_damaged_state_is_refused_or_does_no_harm(place: tuple[Any, ...], value: object, *, remove: bool) -> None:
    """One place of it is another value, or gone; then everything is listed."""
    text = msgspec.json.encode(damaged(place, value, remove=remove)).decode()
    fold = new()
    resumed = resuming.resume([stored("one", report=CLUSTER.report(), text=text)], fold, new, now=NOW)
    assert bool(resumed.name) is not bool(resumed.troubles)
    for name, those in CLUSTER.objects.items():
        fold.feed(Store(name).replace(list(those.values()), at=NOW))
    encode.as_json(fold.reports(NOW + 1))
    assert state.encode(fold.snapshot()).size <= state.LIMIT
    assert fold.last <= NOW + resuming.AHEAD, "time goes on"
    for source in fold.sources():
        list(source.samples(NOW + 1))


def test_nothing_to_go_on_from() -> None:
    fold = new()
    resumed = resuming.resume([], fold, new, now=NOW)
    assert resumed == resuming.Resumed("", "", (), ())
    assert fold.current(0.0) is None


def test_history_is_known_even_where_no_state_is() -> None:
    """Its values are the last session's until another begins."""
    over = msgspec.structs.replace(REPORT, phase=Phase.COMPLETED, ended_at=REPORT.observed_until)
    fold = new()
    resumed = resuming.resume([stored("one", report=over)], fold, new, now=NOW)
    assert (resumed.name, resumed.reports) == ("", (over,))
    assert fold.current(0.0) == over


def test_what_may_still_be_under_way_is_no_history() -> None:
    """Our own fold will find it."""
    fold = new()
    assert resuming.resume([stored("one", report=REPORT)], fold, new, now=NOW).reports == ()


def test_the_latest_of_several_states_counts() -> None:
    earlier = encoded(SNAPSHOT | {"last": SNAPSHOT["last"] - 100})
    both = [stored("later", text=encoded(SNAPSHOT)), stored("earlier", text=earlier)]
    assert resuming.resume(both, new(), new, now=NOW).name == "later"
    assert resuming.resume(both[::-1], new(), new, now=NOW).name == "later"


def test_a_state_that_cannot_be_read_leaves_an_earlier_one() -> None:
    both = [stored("good", text=encoded(SNAPSHOT)), stored("bad", text='{"version":99}')]
    resumed = resuming.resume(both, new(), new, now=NOW)
    assert resumed.name == "good"
    [(name, why)] = resumed.troubles
    assert name == "bad"
    assert "version" in why


def test_the_session_of_the_state_is_not_history_as_well() -> None:
    report = CLUSTER.report()
    over = msgspec.structs.replace(
        report, phase=Phase.COMPLETED, started_at=report.started_at - 9000, ended_at=report.started_at - 8000
    )
    fold = new()
    both = [stored("last", report=report, text=encoded(SNAPSHOT)), stored("past", report=over)]
    resumed = resuming.resume(both, fold, new, now=NOW)
    assert [r.started_at for r in resumed.reports] == [over.started_at, report.started_at]
    assert [r.started_at for r in fold.reports(CLUSTER.now)] == [over.started_at, report.started_at]


@pytest.mark.parametrize("text", ["", "{}", '{"version":1,"last":0}'])
def test_what_is_no_state_is_unusable(text: str) -> None:
    with pytest.raises(resuming.Unusable):
        resuming.tried(text or "nothing", new, now=NOW)


@pytest.mark.parametrize("ahead", [200.0, 400.0])
def test_a_state_from_the_future_does_not_stop_the_time(ahead: float) -> None:
    """Clocks of two nodes may differ a little."""
    resumed = resuming.resume([stored("one", text=encoded(SNAPSHOT | {"last": NOW + ahead}))], new(), new, now=NOW)
    assert bool(resumed.name) is (ahead < resuming.AHEAD)
    assert [why for _, why in resumed.troubles if "400 s from now" not in why] == []


def test_a_moment_that_cannot_be_shown_makes_a_report_unreadable() -> None:
    """A person may have put it there; what reads it has to show it."""
    status = encode.document(REPORT) | {"startedAt": "9999-12-31T23:59:59.9999Z"}
    metadata = objects.Metadata(
        name="one", uid="one", resource_version="1", creation_timestamp=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    )
    read = objects.read(objects.Item(metadata=metadata, status=status))
    assert read.report is None
    assert read.trouble
