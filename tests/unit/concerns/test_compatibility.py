"""Compatibility: whose second it was, what is served against the session's start, which stored versions bar a way."""

import pytest

from exporter.concerns import compatibility
from exporter.concerns.compatibility import Compatibility
from exporter.model import probing, resources
from exporter.model.changes import ProbeFinished, Sync
from exporter.model.report import Phase, ProbeReport
from exporter.settings import Settings
from tests import builders as b
from tests.unit.concerns.streams import Stream

LIST, DRY_RUN = "vm-list-v1", "vm-dry-run-create-v1"
EXPORTS = "virtualmachineexports.export.kubevirt.io"
SNAPSHOTS = "virtualmachinesnapshots.snapshot.kubevirt.io"
WAIT = compatibility.seconds.WAIT


@pytest.fixture
def stream() -> Stream[Compatibility]:
    """1.2 runs; nothing has been probed."""
    stream = Stream(Compatibility(Settings(), probes=(LIST,)), now=1000.0)
    stream.lists(
        b.kubevirt("v1.2.0"), b.workload(b.API, "v1.2.0"), b.crd(EXPORTS, "v1alpha1"), b.crd(SNAPSHOTS, "v1alpha1"),
        b.crd("datavolumes.cdi.kubevirt.io", "v1beta1"), b.api_service("v1"), b.api_service("v1alpha3"),
    )  # fmt: skip
    return stream


def begin(stream: Stream[Compatibility]) -> None:
    stream.put(b.kubevirt("v1.3.0", observed="v1.2.0"))


def end(stream: Stream[Compatibility]) -> None:
    """The target is taken back."""
    stream.put(b.kubevirt("v1.2.0"))
    assert not stream.tracker.active


def sample(sent: float, reason: str = "", probe: str = LIST, *, took: float = 0.1, new: bool = False) -> ProbeFinished:
    return ProbeFinished(
        at=sent + took,
        probe=probe,
        connection=probing.NEW if new else probing.REUSED,
        sent=sent,
        seconds=took,
        reason=reason,
    )


def control(sent: float, reason: str = "", *, took: float = 0.1, new: bool = False) -> ProbeFinished:
    return sample(sent, reason, probing.CONTROL, took=took, new=new)


def tell(stream: Stream[Compatibility], *samples: ProbeFinished) -> None:
    """Probes finish, in the order of their ends, and all there is to learn about their seconds is learnt."""
    for change in sorted(samples, key=lambda s: s.at):
        stream.wait(max(0.0, change.at - stream.now))
        stream.say(change)
    stream.wait(WAIT + 1)


def of_session(stream: Stream[Compatibility], probe: str = LIST, connection: str = probing.REUSED) -> ProbeReport:
    (found,) = [
        p
        for p in stream.concern.report(stream.now, stream.tracker).probes
        if p.probe == probe and p.connection == connection
    ]  # fmt: skip
    return found


def totals(stream: Stream[Compatibility], probe: str = LIST, connection: str = probing.REUSED) -> dict[str, float]:
    """Seconds by what they were, where there are any."""
    found = {word: stream.value(family, probe, connection) for word, family in compatibility.TOTALS.items()}
    return {word: value for word, value in found.items() if value}


# --- seconds ---


def test_nothing_is_told_of_a_probe_before_its_first_sample(stream: Stream[Compatibility]) -> None:
    assert stream.values(compatibility.REQUESTS) == {}
    tell(stream, sample(1000.0))
    assert stream.values(compatibility.REQUESTS) == {(LIST, probing.REUSED): 1}
    for family in compatibility.TOTALS.values():
        assert stream.value(family, LIST, probing.REUSED) is not None


def test_failures_begin_with_zeros_of_the_reasons_that_can_occur(stream: Stream[Compatibility]) -> None:
    """Admission runs only for what is written."""
    tell(stream, sample(1000.0), sample(1000.0, "webhook", DRY_RUN))
    failures = stream.values(compatibility.FAILURES)
    assert {reason for probe, _, reason in failures if probe == LIST} == set(probing.REASONS) - {"webhook"}
    assert {reason: n for (probe, _, reason), n in failures.items() if n} == {"webhook": 1}


def test_each_failed_sample_costs_its_own_second(stream: Stream[Compatibility]) -> None:
    begin(stream)
    tell(stream, *[sample(1001.0 + n, "http_5xx" if n < 7 else "") for n in range(20)])
    assert of_session(stream) == ProbeReport(
        probe=LIST, connection="reused", measured_seconds=20, disruption_seconds=7, cluster_seconds=0, client_seconds=0,
        failures={"http_5xx": 7},
    )  # fmt: skip
    assert totals(stream) == {"measured": 20, "disrupted": 7}


def test_a_sample_owns_the_second_in_which_it_was_sent_however_long_it_hangs(stream: Stream[Compatibility]) -> None:
    tell(stream, *[sample(1000.0 + n, "timeout", took=10.0) for n in range(3)], sample(1003.0))
    assert totals(stream) == {"measured": 4, "disrupted": 3}


def test_seconds_without_a_sample_are_not_measured(stream: Stream[Compatibility]) -> None:
    tell(stream, sample(1000.0), sample(1015.0, "connect"), sample(1030.0))
    assert totals(stream) == {"measured": 3, "disrupted": 1}


@pytest.mark.parametrize("reasons", [("", "reset"), ("reset", "")])
def test_of_two_samples_in_a_second_the_worse_counts(stream: Stream[Compatibility], reasons: tuple[str, str]) -> None:
    tell(stream, *[sample(1000.0 + 0.4 * n, reason) for n, reason in enumerate(reasons)])
    assert totals(stream) == {"measured": 1, "disrupted": 1}


def test_the_second_sample_of_a_second_may_fail_long_after_the_first(stream: Stream[Compatibility]) -> None:
    tell(stream, sample(1000.0), sample(1000.9, "timeout", took=10.0))
    assert totals(stream) == {"measured": 1, "disrupted": 1}


@pytest.mark.parametrize("late", [False, True])
def test_a_second_in_which_the_control_probe_failed_is_the_clusters(
    stream: Stream[Compatibility], *, late: bool
) -> None:
    """Whichever of the two is learnt first."""
    quick, slow = 0.1, 10.0
    tell(
        stream,
        sample(1000.0, "connect", took=quick if late else slow),
        control(1000.0, "timeout", took=slow if late else quick),
        sample(1001.0, "http_5xx"),
        control(1001.0),
    )
    assert totals(stream) == {"measured": 2, "cluster": 1, "disrupted": 1}
    assert totals(stream, probing.CONTROL) == {"measured": 2, "cluster": 1}


def test_a_bad_second_is_charged_only_when_the_control_probe_must_be_known(stream: Stream[Compatibility]) -> None:
    stream.say(sample(1000.0, "connect"))
    assert stream.concern.deadline() == 1000.0 + WAIT
    stream.wait(WAIT - 0.1)
    assert totals(stream) == {"measured": 1}
    stream.wait(0.1)
    assert totals(stream) == {"measured": 1, "disrupted": 1}
    assert stream.concern.deadline() is None


def test_the_control_probe_judges_its_own_kind_of_connection(stream: Stream[Compatibility]) -> None:
    """New connections fail while reused ones work: the load balancer's fault, and only of the one kind."""
    tell(stream, control(1000.0), control(1000.0, "tls", new=True), sample(1000.0, "reset"),
         sample(1000.0, "tls", new=True))  # fmt: skip
    assert totals(stream) == {"measured": 1, "disrupted": 1}
    assert totals(stream, connection=probing.NEW) == {"measured": 1, "cluster": 1}


def test_where_the_control_probe_has_no_sample_of_that_kind_any_will_do(stream: Stream[Compatibility]) -> None:
    tell(stream, control(1000.0, "connect"), sample(1000.0, "connect", new=True))
    assert totals(stream, connection=probing.NEW) == {"measured": 1, "cluster": 1}


@pytest.mark.parametrize("reason", sorted(probing.OUR_SIDE))
def test_a_failure_on_our_side_is_not_charged(stream: Stream[Compatibility], reason: str) -> None:
    tell(stream, sample(1000.0, reason), control(1000.0, reason))
    assert totals(stream) == {"measured": 1, "client": 1}
    assert totals(stream, probing.CONTROL) == {"measured": 1, "client": 1}


def test_a_result_after_its_second_was_closed_changes_no_second(stream: Stream[Compatibility]) -> None:
    tell(stream, sample(1000.0, "timeout", took=60.0))
    assert totals(stream) == {}
    assert stream.value(compatibility.FAILURES, LIST, probing.REUSED, "timeout") == 1


def test_only_what_is_open_is_remembered(stream: Stream[Compatibility]) -> None:
    tell(stream, *[sample(1000.0 + n, "connect") for n in range(600)])
    tell(stream, sample(2000.0))
    assert totals(stream) == {"measured": 601, "disrupted": 600}
    assert all(len(track.recent) <= WAIT for track in stream.concern._accounting)  # noqa: SLF001 - a bound is the point


def test_durations_are_those_of_requests_that_succeeded(stream: Stream[Compatibility]) -> None:
    tell(stream, sample(1000.0, took=0.02), sample(1001.0, took=0.3), sample(1002.0, "connect", took=0.001))
    (found,) = [s for s in stream.concern.samples(2000.0, stream.tracker) if s.family is compatibility.DURATION]
    assert found.distribution is not None
    assert found.distribution.counts == (0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2)
    assert found.distribution.total == pytest.approx(0.32)


# --- in a session ---


def test_a_session_counts_from_its_first_whole_second_until_it_ends(stream: Stream[Compatibility]) -> None:
    tell(stream, *[sample(1000.0 + n, "connect") for n in range(5)])
    stream.now = 1020.5
    begin(stream)
    tell(stream, *[sample(1020.9 + n, "connect") for n in range(3)])
    end(stream)
    tell(stream, sample(1060.0, "connect"))
    assert (of_session(stream).measured_seconds, of_session(stream).disruption_seconds) == (2, 2)
    assert stream.value(compatibility.SESSION["disrupted"], LIST, probing.REUSED) == 2
    assert totals(stream) == {"measured": 9, "disrupted": 9}
    begin(stream)
    assert stream.value(compatibility.SESSION["disrupted"], LIST, probing.REUSED) == 0


def test_a_session_that_ends_is_charged_its_last_bad_seconds(stream: Stream[Compatibility]) -> None:
    begin(stream)
    stream.now = 1005.0
    stream.say(sample(1004.0, "http_5xx"))
    end(stream)
    assert of_session(stream).disruption_seconds == 1
    stream.wait(2 * WAIT)
    assert totals(stream) == {"measured": 1, "disrupted": 1}


def test_disruption_after_completion_and_settling_is_not_the_sessions(stream: Stream[Compatibility]) -> None:
    """Guests may take a day; the API is judged up to the control plane's completion, and some settling."""
    begin(stream)
    stale = b.vmi("one", "v1.2.0")
    stream.put(stale, b.vm("one"), b.workload(b.CONTROLLER, "v1.3.0"), b.workload(b.API, "v1.3.0"))
    stream.put(*[b.pod(c, n, "v1.3.0") for c in (b.CONTROLLER, b.API) for n in "xy"])
    stream.put(b.kubevirt("v1.3.0"))
    session = stream.tracker.session
    assert session is not None
    assert (session.phase, session.observed) == (Phase.WORKLOADS, 1000.0)
    limit = 1000.0 + stream.tracker.settings.thresholds.settling
    tell(stream, sample(limit - 1, "connect"), sample(limit, "connect"))
    assert of_session(stream).disruption_seconds == 1


def test_probes_are_configured_or_were_measured(stream: Stream[Compatibility]) -> None:
    begin(stream)
    tell(stream, sample(1001.0, probe=DRY_RUN))
    report = stream.concern.report(stream.now, stream.tracker)
    assert report.probes_configured == (DRY_RUN, LIST)
    assert [p.probe for p in report.probes] == [DRY_RUN]


def test_after_a_restart_a_session_goes_on_and_no_bad_second_is_forgotten(stream: Stream[Compatibility]) -> None:
    begin(stream)
    tell(stream, *[sample(1001.0 + n, "connect") for n in range(3)])
    stream.now = 1020.0
    stream.say(sample(1019.0, "connect"))
    next_one = stream.restart(Compatibility(Settings()))
    next_one.lists(b.kubevirt("v1.3.0", observed="v1.2.0"), b.workload(b.API, "v1.2.0"))
    tell(next_one, sample(1030.0, "reset"), control(1030.0, "reset"))
    assert of_session(next_one) == ProbeReport(
        probe=LIST, connection="reused", measured_seconds=5, disruption_seconds=4, cluster_seconds=1, client_seconds=0,
        failures={"connect": 4, "reset": 1},
    )  # fmt: skip
    assert next_one.value(compatibility.REQUESTS, LIST, probing.REUSED) == 1


def test_a_snapshot_of_another_format_is_left_aside() -> None:
    concern = Compatibility(Settings())
    concern.restore({"format": 0})
    assert concern.snapshot()["tracks"] == []


# --- what is served ---


def test_versions_that_went_since_the_session_began_are_named(stream: Stream[Compatibility]) -> None:
    begin(stream)
    stream.put(b.crd(EXPORTS, "v1beta1", "v1"), b.crd(SNAPSHOTS, "v1alpha1", "v1beta1"))
    stream.drop(b.api_service("v1alpha3"))
    assert stream.concern.report(stream.now, stream.tracker).versions_lost == (
        "export.kubevirt.io/v1alpha1 virtualmachineexports",
        "subresources.kubevirt.io/v1alpha3",
    )
    assert stream.value(compatibility.LOST) == 2
    assert stream.value(compatibility.NEW) == 3
    assert set(stream.values(compatibility.LOST_VERSION)) == {
        ("export.kubevirt.io", "v1alpha1", "virtualmachineexports"),
        ("subresources.kubevirt.io", "v1alpha3", ""),
    }


def test_an_aggregated_api_that_is_away_is_lost_until_it_is_back(stream: Stream[Compatibility]) -> None:
    begin(stream)
    stream.put(b.api_service("v1", available=False))
    assert stream.value(compatibility.AVAILABLE, "subresources.kubevirt.io", "v1") == 0
    assert stream.concern.report(stream.now, stream.tracker).versions_lost == ("subresources.kubevirt.io/v1",)
    stream.put(b.api_service("v1"))
    assert stream.value(compatibility.LOST) == 0


def test_what_is_lost_stays_as_it_was_when_the_session_ended(stream: Stream[Compatibility]) -> None:
    begin(stream)
    end(stream)
    stream.drop(b.crd(EXPORTS, "v1alpha1"))
    assert stream.concern.report(stream.now, stream.tracker).versions_lost == ()
    assert stream.value(compatibility.LOST) == 0
    assert stream.value(compatibility.SERVED) == 3


def test_what_is_not_listed_is_not_lost() -> None:
    stream = Stream(Compatibility(Settings()), now=1000.0)
    stream.lists(b.kubevirt("v1.2.0"), b.workload(b.API, "v1.2.0"), without=[resources.CRDS, resources.API_SERVICES])
    begin(stream)
    stream.list(resources.CRDS, b.crd(EXPORTS, "v1beta1"))
    stream.sync(resources.API_SERVICES, Sync.FORBIDDEN)
    assert stream.values(compatibility.LOST) == {}
    assert stream.values(compatibility.AVAILABLE) == {}
    assert stream.concern.report(stream.now, stream.tracker).versions_lost == ()


def test_a_restart_keeps_what_was_served_when_the_session_began(stream: Stream[Compatibility]) -> None:
    begin(stream)
    next_one = stream.restart(Compatibility(Settings()))
    next_one.lists(b.kubevirt("v1.3.0", observed="v1.2.0"), b.crd(EXPORTS, "v1alpha1"), b.api_service("v1"))
    assert next_one.concern.report(next_one.now, next_one.tracker).versions_lost == (
        "snapshot.kubevirt.io/v1alpha1 virtualmachinesnapshots",
        "subresources.kubevirt.io/v1alpha3",
    )


def test_a_restart_after_the_session_keeps_what_it_ended_with(stream: Stream[Compatibility]) -> None:
    begin(stream)
    stream.drop(b.api_service("v1alpha3"))
    stream.put(b.crd(SNAPSHOTS, "v1alpha1", "v1beta1", stored=("v1alpha1", "v1beta1")))
    end(stream)
    before = stream.concern.report(stream.now, stream.tracker)
    assert (len(before.versions_lost), len(before.storage_blocked)) == (1, 1)
    next_one = stream.restart(Compatibility(Settings(), probes=(LIST,)))
    next_one.lists(b.kubevirt("v1.2.0"), b.api_service("v1"), b.api_service("v1alpha3"))
    assert next_one.concern.report(next_one.now, next_one.tracker) == before
    assert next_one.value(compatibility.LOST) == 1


# --- what is stored ---


def test_a_storage_bump_blocks_the_way_back(stream: Stream[Compatibility]) -> None:
    begin(stream)
    assert stream.concern.report(stream.now, stream.tracker).storage_blocked == ()
    both = ("v1alpha1", "v1beta1")
    stream.put(b.crd(EXPORTS, *both, stored=both), b.crd(SNAPSHOTS, *both, stored=both))
    assert stream.concern.report(stream.now, stream.tracker).storage_blocked == (
        "virtualmachineexports.export.kubevirt.io: v1beta1 blocks rollback to 1.2",
        "virtualmachinesnapshots.snapshot.kubevirt.io: v1beta1 blocks rollback to 1.2",
    )
    assert stream.values(compatibility.BLOCKING) == {("upgrade",): 0, ("rollback",): 2}
    assert set(stream.values(compatibility.BLOCK)) == {
        (EXPORTS, "v1beta1", "rollback", "1.2"),
        (SNAPSHOTS, "v1beta1", "rollback", "1.2"),
    }


@pytest.mark.parametrize(
    ("running", "stored", "expected"),
    [
        ("v1.8.2", ("v1alpha1", "v1beta1"), {("upgrade", "1.9"): "v1alpha1"}),
        ("v1.8.2", ("v1beta1",), {}),
        ("v1.9.0", ("v1beta1", "v1"), {("rollback", "1.8"): "v1"}),
        ("v1.3.0", ("v1alpha1", "v1beta1"), {("rollback", "1.2"): "v1beta1"}),
    ],
)
def test_between_sessions_the_neighbouring_releases_count(
    running: str, stored: tuple[str, ...], expected: dict[tuple[str, str], str]
) -> None:
    stream = Stream(Compatibility(Settings()))
    stream.lists(b.kubevirt(running), b.workload(b.API, running), b.crd(EXPORTS, *stored, stored=stored))
    found = {(direction, release): version for _, version, direction, release in stream.values(compatibility.BLOCK)}
    assert found == expected


def test_an_upgrade_under_way_may_be_blocked_itself() -> None:
    """virt-operator writes definitions first, and the API server refuses this one."""
    stored = ("v1alpha1", "v1beta1")
    stream = Stream(Compatibility(Settings()))
    stream.lists(b.kubevirt("v1.8.0"), b.workload(b.API, "v1.8.0"), b.crd(EXPORTS, *stored, stored=stored))
    stream.put(b.kubevirt("v1.9.0", observed="v1.8.0"))
    assert stream.concern.report(stream.now, stream.tracker).storage_blocked == (
        "virtualmachineexports.export.kubevirt.io: v1alpha1 blocks upgrade to 1.9",
    )


@pytest.mark.parametrize("running", ["v1.12.0", "latest", ""])
def test_releases_beyond_the_table_are_not_spoken_of(running: str) -> None:
    stream = Stream(Compatibility(Settings()))
    stream.lists(b.kubevirt(running), b.workload(b.API, running), b.crd(EXPORTS, "v9", stored=("v9",)))
    assert stream.values(compatibility.BLOCKING) == {}
    assert stream.values(compatibility.BLOCK) == {}


def test_the_last_release_of_the_table_knows_only_the_way_back() -> None:
    stream = Stream(Compatibility(Settings()))
    stream.lists(b.kubevirt("v1.9.0"), b.workload(b.API, "v1.9.0"), b.crd(EXPORTS, "v1"))
    assert set(stream.values(compatibility.BLOCKING)) == {("rollback",)}
