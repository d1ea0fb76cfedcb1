"""Leadership: gaps are measured between renewals, whatever clocks, late news and blind times do to them."""

import pathlib

import hypothesis
import pytest
from hypothesis import strategies

from exporter.concerns import leadership
from exporter.concerns.leadership import Leadership
from exporter.model import resources
from exporter.model.changes import Sync
from exporter.recording.reader import Recording
from exporter.settings import Settings
from exporter.tracker.sessions import Closed
from exporter.tracker.tracker import Tracker
from tests import builders
from tests.builders import CONTROLLER, HANDLER, NEW, OLD, OPERATOR
from tests.unit.concerns.streams import Stream

START = 1_000.0
HEARD = 0.005
"""Seconds from a renewal to the news of it."""


def cluster(*, clock: float = 0.0) -> Stream[Leadership]:
    """Two replicas of virt-controller, `a` leads and has just renewed; the cluster's clock is `clock` ahead of ours."""
    stream = Stream(Leadership(), now=START)
    stream.lists(
        builders.kubevirt(),
        builders.workload(OPERATOR, desired=1),
        builders.pod(OPERATOR),
        builders.workload(CONTROLLER),
        builders.pod(CONTROLLER, "a"),
        builders.pod(CONTROLLER, "b"),
        builders.lease(CONTROLLER, "a", START + clock),
    )
    return stream


def renew(
    stream: Stream[Leadership], holder: str = "a", *, times: int = 1, clock: float = 0.0, late: float = HEARD
) -> None:
    """The lease is renewed every 2 s by a holder whose clock is `clock` ahead; we hear of each `late` after it."""
    for _ in range(times):
        stream.now += 2
        made = stream.now
        stream.now += late
        stream.put(builders.lease(CONTROLLER, holder, made + clock))
        stream.now = max(made, stream.now - 2)


def begin(stream: Stream[Leadership]) -> None:
    stream.put(builders.workload(OPERATOR, NEW, desired=1))
    assert stream.tracker.active


def account(stream: Stream[Leadership]) -> tuple[int, float, float]:
    """Transitions, leaderless seconds and longest gap of virt-controller in the session."""
    [part] = stream.concern.report(stream.now, stream.tracker)
    assert part.component == CONTROLLER
    return part.transitions, part.leaderless_seconds, part.longest_gap_seconds


def take_over(stream: Stream[Leadership], *, after: float = 17.0, holder: str = "b", clock: float = 0.0) -> None:
    """Nobody renews for so long, then another holder does."""
    stream.now += after - 2
    renew(stream, holder, clock=clock)


# --- gaps ---


def test_a_gap_runs_from_the_last_renewal_to_the_next_holders_first() -> None:
    stream = cluster()
    begin(stream)
    renew(stream, times=3)
    take_over(stream, after=16.5)
    renew(stream, "b", times=3)
    assert account(stream) == (1, 16.5, 16.5)
    take_over(stream, after=17.25, holder="a")
    assert account(stream) == (2, 33.75, 17.25)
    assert stream.value(leadership.TRANSITIONS, CONTROLLER) == 2
    assert stream.value(leadership.LEADERLESS, CONTROLLER) == 33.75
    assert stream.value(leadership.S_TRANSITIONS, CONTROLLER) == 2
    assert stream.value(leadership.S_LEADERLESS, CONTROLLER) == 33.75
    assert stream.value(leadership.S_LONGEST, CONTROLLER) == 17.25


def test_renewals_in_time_are_no_gap() -> None:
    stream = cluster()
    begin(stream)
    renew(stream, times=100)
    assert account(stream) == (0, 0.0, 0.0)
    assert stream.value(leadership.GAP, CONTROLLER) == 0


def test_a_released_lease_leaves_a_gap_from_the_last_renewal() -> None:
    stream = cluster()
    begin(stream)
    renew(stream)
    stream.now += 1
    stream.put(builders.lease(CONTROLLER, "", stream.now, duration=1.0))
    stream.now -= 1
    take_over(stream, after=3)
    assert account(stream) == (1, 3.0, 3.0)


def test_a_holder_that_comes_back_after_its_lease_expired_led_nobody_meanwhile() -> None:
    stream = cluster()
    begin(stream)
    take_over(stream, after=40, holder="a")
    assert account(stream) == (0, 40.0, 40.0)


def test_an_open_gap_shows_once_the_lease_has_expired() -> None:
    stream = cluster()
    renew(stream)
    stream.now += 15
    assert stream.value(leadership.GAP, CONTROLLER) == 0
    stream.now += 1
    assert stream.value(leadership.GAP, CONTROLLER) == 16
    renew(stream, "b")
    assert stream.value(leadership.GAP, CONTROLLER) == 0


def test_an_open_gap_counts_for_the_session_when_no_news_of_its_end_can_be_under_way() -> None:
    """What has been published never goes back when the gap ends."""
    stream = cluster()
    begin(stream)
    renew(stream)
    stream.now += 15
    assert account(stream) == (0, 0.0, 0.0)
    stream.now += 25
    assert account(stream) == (0, 35.0, 35.0)
    assert stream.value(leadership.LEADERLESS, CONTROLLER) == 0
    renew(stream, "b")
    assert account(stream) == (1, 42.0, 42.0)


def test_a_component_that_is_switched_off_is_not_leaderless() -> None:
    stream = cluster()
    renew(stream)
    stream.drop(builders.workload(CONTROLLER))
    stream.now += 1_000
    assert stream.value(leadership.GAP, CONTROLLER) == 0
    assert stream.values(leadership.LEADER) == {}


# --- sessions ---


def test_a_gap_belongs_to_the_session_in_which_it_ends() -> None:
    stream = cluster()
    renew(stream)
    stream.now += 10
    begin(stream)
    stream.now -= 10
    take_over(stream)
    assert account(stream) == (1, 17.0, 17.0)


def test_between_sessions_gaps_count_for_the_process_only() -> None:
    stream = cluster()
    take_over(stream)
    assert stream.value(leadership.TRANSITIONS, CONTROLLER) == 1
    assert stream.values(leadership.S_TRANSITIONS) == {}
    begin(stream)
    assert account(stream) == (0, 0.0, 0.0)


def test_after_a_session_its_account_stays_until_the_next_begins() -> None:
    stream = cluster()
    stream.put(builders.kubevirt(NEW, OLD))
    take_over(stream)
    stream.put(builders.kubevirt())  # taken back
    assert not stream.tracker.active
    take_over(stream, after=20, holder="a")
    stream.now += 100
    assert account(stream) == (1, 17.0, 17.0)
    assert stream.value(leadership.GAP, CONTROLLER) == pytest.approx(100, abs=HEARD)
    renew(stream)
    begin(stream)
    assert account(stream) == (0, 0.0, 0.0)


def test_a_gap_that_is_open_when_the_session_ends_stays_on_its_account() -> None:
    """Whoever still has no leader at the end must not look as if it had had one all the time."""
    stream = cluster()
    stream.put(builders.kubevirt(NEW, OLD))
    renew(stream)
    stream.now += 45
    assert account(stream) == (0, 40.0, 40.0)
    stream.put(builders.kubevirt())  # taken back
    assert not stream.tracker.active
    assert account(stream) == (0, 40.0, 40.0)
    stream.now += 100
    renew(stream, "b")
    assert account(stream) == (0, 40.0, 40.0)
    assert stream.value(leadership.LEADERLESS, CONTROLLER) == 147


# --- clocks and late news ---


@pytest.mark.parametrize("clock", [-3_600.0, -60.0, -1.5, 1.5, 60.0, 3_600.0])
def test_a_cluster_whose_clock_differs_from_ours_has_the_same_gaps(clock: float) -> None:
    stream = cluster(clock=clock)
    begin(stream)
    renew(stream, times=20, clock=clock)
    assert stream.value(leadership.GAP, CONTROLLER) == 0
    stream.now += 20
    assert stream.value(leadership.GAP, CONTROLLER) == pytest.approx(20, abs=2.0)
    stream.now -= 20
    take_over(stream, clock=clock)
    assert account(stream) == (1, 17.0, 17.0)


@pytest.mark.parametrize("clock", [-60.0, -8.0, 3.0, 8.0, 60.0])
def test_a_holder_whose_clock_differs_from_the_others_leaves_the_same_gap(clock: float) -> None:
    stream = cluster()
    begin(stream)
    renew(stream, times=20)
    take_over(stream, clock=clock)
    assert account(stream) == (1, 17.0, 17.0)
    renew(stream, "b", times=40, clock=clock)
    take_over(stream, holder="a")
    assert account(stream) == (2, 34.0, 17.0)


def test_news_that_comes_late_is_no_difference_of_clocks() -> None:
    stream = cluster()
    begin(stream)
    renew(stream, times=3)
    stream.now += 15
    renew(stream, "b", late=4.5)
    assert account(stream) == (1, 17.0, 17.0)


def test_a_watch_that_resumes_tells_late_and_in_one_burst_what_happened() -> None:
    stream = cluster()
    begin(stream)
    renew(stream, times=3)
    cut = stream.now
    stream.sync(resources.LEASES, Sync.INTERRUPTED)
    stream.now += 120
    stream.sync(resources.LEASES, Sync.SYNCED)
    assert stream.value(leadership.GAP, CONTROLLER) is None
    for seconds in (2, *range(19, 121, 2)):
        stream.put(builders.lease(CONTROLLER, "a" if seconds == 2 else "b", cut + seconds))
    assert account(stream) == (1, 17.0, 17.0)
    assert stream.value(leadership.GAP, CONTROLLER) == 0


def test_a_long_burst_of_late_news_is_no_difference_of_clocks() -> None:
    stream = cluster()
    begin(stream)
    renew(stream, times=3)
    cut = stream.now
    stream.sync(resources.LEASES, Sync.INTERRUPTED)
    stream.now += 180
    stream.sync(resources.LEASES, Sync.SYNCED)
    for seconds in (*range(2, 121, 2), 137):
        stream.put(builders.lease(CONTROLLER, "b" if seconds == 137 else "a", cut + seconds))
    assert account(stream) == (1, 17.0, 17.0)


def test_a_holders_clock_that_is_set_leaves_no_gap() -> None:
    stream = cluster()
    begin(stream)
    renew(stream, times=20)
    renew(stream, times=5, clock=3_600)
    renew(stream, times=5, clock=-3_600)
    assert account(stream) == (0, 0.0, 0.0)


@hypothesis.given(
    strategies.lists(strategies.tuples(strategies.booleans(), strategies.floats(0, 5)), min_size=1, max_size=60)
)
def test_late_news_changes_no_sum_and_takes_nothing_back(story: list[tuple[bool, float]]) -> None:
    """Each step is a renewal or a hand-over, and how late we hear of it."""
    stream = cluster()
    begin(stream)
    renew(stream, times=20)
    made, holder, transitions, seen = stream.now, "a", 0, 0.0
    for handover, late in story:
        made += 17 if handover else 2
        if handover:
            holder, transitions = "b" if holder == "a" else "a", transitions + 1
        stream.now = max(stream.now, made + late)
        before = account(stream)[1]
        stream.put(builders.lease(CONTROLLER, holder, made))
        assert seen <= before <= account(stream)[1]
        seen = account(stream)[1]
    assert account(stream) == (transitions, 17.0 * transitions, 17.0 if transitions else 0.0)


# --- blind times ---


def test_a_renewal_learnt_from_a_list_is_no_gap() -> None:
    stream = cluster()
    begin(stream)
    stream.sync(resources.LEASES, Sync.INTERRUPTED)
    stream.now += 100
    assert stream.value(leadership.GAP, CONTROLLER) is None
    assert account(stream) == (0, 0.0, 0.0)
    stream.list(resources.LEASES, builders.lease(CONTROLLER, "a", stream.now - 1))
    assert stream.value(leadership.GAP, CONTROLLER) == 0
    renew(stream, times=3)
    assert account(stream) == (0, 0.0, 0.0)


def test_a_hand_over_between_two_lists_is_measured_by_the_leases_own_times() -> None:
    stream = cluster()
    begin(stream)
    renew(stream)
    last = stream.now
    stream.sync(resources.LEASES, Sync.INTERRUPTED)
    stream.now += 40
    stream.list(resources.LEASES, builders.lease(CONTROLLER, "b", stream.now, acquired=last + 18, transitions=1))
    assert account(stream) == (1, 18.0, 18.0)


@pytest.mark.parametrize("transitions", [1, 3])
def test_of_hand_overs_in_a_long_blind_time_only_what_is_certain_counts(transitions: int) -> None:
    """The old holder may have renewed unseen: nobody may be blamed for a gap of five minutes."""
    stream = cluster()
    begin(stream)
    stream.sync(resources.LEASES, Sync.INTERRUPTED)
    stream.now += 300
    stream.list(
        resources.LEASES, builders.lease(CONTROLLER, "b", stream.now, acquired=stream.now - 4, transitions=transitions)
    )
    assert account(stream) == (transitions, 15.0 * transitions, 15.0)


def test_a_gap_that_was_open_when_the_watch_was_cut_counts_in_full() -> None:
    stream = cluster()
    begin(stream)
    stream.now += 50
    stream.sync(resources.LEASES, Sync.INTERRUPTED)
    stream.now += 30
    assert account(stream) == (0, 45.0, 45.0)
    stream.list(resources.LEASES, builders.lease(CONTROLLER, "b", stream.now, acquired=stream.now - 10, transitions=1))
    assert account(stream) == (1, 70.0, 70.0)


def test_of_an_open_gap_that_its_own_holder_ended_unseen_the_part_we_saw_counts() -> None:
    stream = cluster()
    begin(stream)
    stream.now += 50
    stream.sync(resources.LEASES, Sync.INTERRUPTED)
    stream.now += 30
    stream.list(resources.LEASES, builders.lease(CONTROLLER, "a", stream.now))
    assert account(stream) == (0, 50.0, 50.0)


def test_a_watch_that_is_cut_again_before_there_was_news_leaves_no_gap() -> None:
    stream = cluster()
    begin(stream)
    stream.sync(resources.LEASES, Sync.INTERRUPTED)
    stream.now += 60
    stream.sync(resources.LEASES, Sync.SYNCED)
    stream.now += 1
    stream.sync(resources.LEASES, Sync.INTERRUPTED)
    stream.now += 60
    assert account(stream) == (0, 0.0, 0.0)
    stream.list(resources.LEASES, builders.lease(CONTROLLER, "a", stream.now))
    assert account(stream) == (0, 0.0, 0.0)


def test_a_lease_that_stays_silent_after_the_watch_resumed_is_expired() -> None:
    stream = cluster()
    begin(stream)
    stream.sync(resources.LEASES, Sync.INTERRUPTED)
    stream.now += 60
    stream.sync(resources.LEASES, Sync.SYNCED)
    stream.now += 10
    assert stream.value(leadership.GAP, CONTROLLER) is None
    assert account(stream) == (0, 0.0, 0.0)
    stream.now += 10
    assert stream.value(leadership.GAP, CONTROLLER) == 80


def test_a_gap_over_a_restart_is_measured_from_the_last_renewal_before_it() -> None:
    stream = cluster()
    begin(stream)
    renew(stream, times=20)
    last = stream.now
    stream = stream.restart(Leadership())
    assert account(stream) == (0, 0.0, 0.0)
    stream.now = last + 20
    stream.lists(
        builders.kubevirt(),
        builders.workload(OPERATOR, NEW, desired=1),
        builders.workload(CONTROLLER),
        builders.pod(CONTROLLER, "b"),
        builders.lease(CONTROLLER, "b", last + 19, acquired=last + 17, transitions=1),
    )
    assert account(stream) == (1, 17.0, 17.0)
    renew(stream, "b")
    assert account(stream) == (1, 17.0, 17.0)


def test_a_restart_keeps_the_sessions_account_and_an_open_gap() -> None:
    stream = cluster()
    begin(stream)
    take_over(stream)
    stream.now += 40
    stream.put(builders.pod(CONTROLLER, "c", ready=False))
    before = account(stream)
    stream = stream.restart(Leadership())
    assert account(stream) == before == (1, 52.0, 35.0)
    lease = builders.lease(CONTROLLER, "b", START + 17)
    stream.lists(builders.kubevirt(), builders.workload(OPERATOR, NEW), builders.workload(CONTROLLER), lease)
    assert account(stream) == before
    stream.now = START + 60
    renew(stream, "a")
    assert account(stream) == (2, 62.0, 45.0)
    assert stream.value(leadership.TRANSITIONS, CONTROLLER) == 1  # of this process


# --- what is shown ---


def test_the_leaders_version_is_that_of_its_pod() -> None:
    stream = cluster()
    assert stream.values(leadership.LEADER) == {(CONTROLLER, OLD): 1}
    stream.put(builders.lease(CONTROLLER, "c", START + 17))
    assert stream.values(leadership.LEADER) == {(CONTROLLER, "unknown"): 1}
    stream.put(builders.pod(CONTROLLER, "c", NEW))
    assert stream.values(leadership.LEADER) == {(CONTROLLER, NEW): 1}
    stream.put(builders.lease(CONTROLLER, "c", START + 19))
    stream.drop(builders.pod(CONTROLLER, "c", NEW))
    assert stream.values(leadership.LEADER) == {(CONTROLLER, NEW): 1}


def test_a_holder_may_carry_more_than_its_pods_name() -> None:
    stream = cluster()
    stream.put(builders.lease(CONTROLLER, "b_0e1f2a", START + 17))
    assert stream.values(leadership.LEADER) == {(CONTROLLER, OLD): 1}


def test_leases_that_are_not_named_like_a_component_do_not_show() -> None:
    stream = cluster()
    stream.put(builders.lease("somebody-elses"), builders.lease(HANDLER))
    assert {key for family in leadership.FAMILIES for key in stream.values(family) if CONTROLLER not in key} == set()
    stream.put(builders.workload(HANDLER))
    assert stream.value(leadership.TRANSITIONS, HANDLER) == 0


def test_strangers_do_not_fill_the_memory() -> None:
    stream = cluster()
    for number in range(1_000):
        stream.put(builders.lease(f"stranger-{number}"))
    assert len(stream.concern.snapshot()["leads"]) == 30
    stream.put(builders.workload(HANDLER), builders.lease(HANDLER))
    assert stream.value(leadership.GAP, HANDLER) is not None


def test_leases_that_may_not_be_read_give_no_sample() -> None:
    stream = Stream(Leadership())
    stream.lists(builders.kubevirt(), builders.workload(OPERATOR), without=[resources.LEASES])
    stream.sync(resources.LEASES, Sync.FORBIDDEN)
    begin(stream)
    assert list(stream.concern.samples(0.0, stream.tracker)) == []
    assert stream.concern.report(0.0, stream.tracker) == ()


# --- real upgrades ---


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("upgrade-1.3.0-1.4.0", [{CONTROLLER: (1, 16.696, 16.696), OPERATOR: (1, 17.616, 17.616)}]),
        (
            "upgrade-1.2.0-1.3.0-1.4.0-staged",
            [
                {CONTROLLER: (2, 32.015, 16.609), OPERATOR: (1, 16.221, 16.221)},
                {CONTROLLER: (2, 33.66, 17.273), OPERATOR: (2, 32.816, 17.662)},
            ],
        ),
        ("upgrade-1.3.0-1.4.0-stuck-handler", [{CONTROLLER: (0, 0.0, 0.0), OPERATOR: (2, 33.526, 17.358)}]),
    ],
)
def test_gaps_of_real_upgrades(
    recordings: pathlib.Path, name: str, expected: list[dict[str, tuple[int, float, float]]]
) -> None:
    tracker, concern, found = Tracker(Settings()), Leadership(), []

    def account_of_session() -> None:
        parts = concern.report(tracker.last, tracker)
        found.append(
            {part.component: (part.transitions, part.leaderless_seconds, part.longest_gap_seconds) for part in parts}
        )

    with Recording(recordings / f"{name}.jsonl.gz") as recording:
        for change in recording.changes():
            for transition in tracker.observe(change):
                if isinstance(transition, Closed):
                    account_of_session()
                else:
                    concern.session(transition, tracker)
            concern.observe(change, tracker)
    account_of_session()
    assert found == expected
