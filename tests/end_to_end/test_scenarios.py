"""Every scenario of the simulator, folded: what was made to happen is what the report says.

Simulator and product share no code; the scenario's truth is written by the simulated world while it happens.
"""

import functools

import pytest

from exporter import sim
from exporter.fold import Fold
from exporter.model.report import Phase, Report, Verdict
from exporter.recording.reader import Recording
from exporter.report import encode
from exporter.settings import Settings
from exporter.sim.truth import Truth
from tests.conftest import Golden
from tests.stories import Stories

REASONS = {"oom": "out_of_memory", "node-lost": "node_lost", "evicted": "evicted", "update-eviction": "workload_update"}
FAILED = {
    "definition-deleted", "duplicate-launcher", "guest-evicted", "guest-oom", "kubevirt-api-outage", "no-leader",
    "node-lost",
}  # fmt: skip
UNFINISHED = {"stuck-handler", "storage-blocked"}


@functools.cache
def folded(stories: Stories, name: str) -> tuple[tuple[Report, ...], Truth]:
    """The reports of a scenario, and what really happened."""
    fold = Fold(Settings(), exporter_version="test")
    with Recording(stories.recording(name)) as recording:
        for change in recording.changes():
            fold.feed(change)
        return tuple(fold.reports(recording.ended)), stories.truth(name)


@pytest.mark.parametrize("name", sim.names())
def test_the_report_of_a_scenario_is_its_golden(stories: Stories, name: str, golden: Golden) -> None:
    """A change there is a change of meaning and wants a look."""
    reports, _ = folded(stories, name)
    golden(f"scenarios/{name}.json", encode.as_json(reports, indent=2).decode() + "\n")


@pytest.mark.parametrize("name", sim.names())
def test_sessions_are_those_that_were_begun(stories: Stories, name: str) -> None:
    """From where to where, and of which kind."""
    reports, truth = folded(stories, name)
    assert [(r.kind.value, r.from_version, r.to_version) for r in reports] == [
        (hop.kind, hop.old, hop.new) for hop in truth.hops
    ]
    for report, hop in zip(reports, truth.hops, strict=True):
        assert report.started_at == pytest.approx(hop.at, abs=2)


@pytest.mark.parametrize("name", sim.names())
def test_guests_are_charged_for_what_was_done_to_them(stories: Stories, name: str) -> None:
    """Who was interrupted, why, and for how long; who only did what its owner asked for."""
    reports, truth = folded(stories, name)
    reasons: dict[str, int] = {}
    for report in reports:
        for reason, count in report.continuity.interrupted.by_reason.items():
            reasons[reason] = reasons.get(reason, 0) + count
    expected: dict[str, int] = {}
    for interruption in truth.interruptions:
        reason = REASONS[interruption.reason]
        expected[reason] = expected.get(reason, 0) + 1
    assert reasons == expected
    named = {f"{a.namespace}/{a.name}" for r in reports for a in r.continuity.anomalies if a.kind == "interrupted"}
    assert named == {f"{i.namespace}/{i.name}" for i in truth.interruptions}
    away = sum((i.until or 0) - (i.seen_at if i.seen_at is not None else i.at) for i in truth.interruptions)
    assert sum(r.continuity.interruption_seconds for r in reports) == pytest.approx(away, abs=1 + len(named))
    asked = [stop for stop in truth.asked_stops if stop.how != "guest-shutdown"]
    assert sum(r.continuity.asked for r in reports) == len(asked)
    assert sum(r.continuity.duplicate_launchers for r in reports) == len(truth.duplicates)
    assert sum(r.continuity.unattributed for r in reports) == 0


@pytest.mark.parametrize("name", sim.names())
def test_migrations_and_stranded_guests_are_those_there_were(stories: Stories, name: str) -> None:
    """Counted as they end, although KubeVirt keeps only five of a guest."""
    reports, truth = folded(stories, name)
    assert sum(r.migrations.succeeded for r in reports) == truth.succeeded()
    assert sum(r.migrations.failed for r in reports) == truth.failed()
    if reports[-1].workloads_complete_at is not None and not truth.failed():
        assert reports[-1].migrations.stranded == len(truth.stranded)


@pytest.mark.parametrize("name", sim.names())
def test_leaders_were_away_as_long_as_they_were(stories: Stories, name: str) -> None:
    """Every hand-over's gap, to the tenth of a second."""
    reports, truth = folded(stories, name)
    assert sum(leader.transitions for r in reports for leader in r.leadership) == len(truth.handovers)
    if truth.handovers:
        longest = max(leader.longest_gap_seconds for r in reports for leader in r.leadership)
        assert longest == pytest.approx(max(h.gap for h in truth.handovers), abs=0.1)


@pytest.mark.parametrize("name", sim.names())
def test_seconds_without_the_api_are_charged_to_whom_they_belong(stories: Stories, name: str) -> None:
    """KubeVirt's outage is disruption; the whole cluster's is the cluster's."""
    reports, truth = folded(stories, name)
    worst = max((p.disruption_seconds for r in reports for p in r.api.probes), default=0.0)
    cluster = max((p.cluster_seconds for r in reports for p in r.api.probes), default=0.0)
    seconds = {"kubevirt-api": 0.0, "cluster-api": 0.0}
    for outage in truth.outages:
        seconds[outage.what] += (outage.until or 0) - outage.since
    assert worst == pytest.approx(seconds["kubevirt-api"], abs=1)
    assert cluster == pytest.approx(seconds["cluster-api"], abs=1)


@pytest.mark.parametrize("name", sim.names())
def test_the_verdict_is_what_a_person_would_say(stories: Stories, name: str) -> None:
    """Failed where something deciding broke; never passed while the rollout is not complete."""
    reports, truth = folded(stories, name)
    last = reports[-1]
    if name in FAILED:
        assert last.verdict is Verdict.FAILED
    elif name in UNFINISHED:
        assert (last.verdict, last.verdict_so_far) == (None, Verdict.INCONCLUSIVE)
    else:
        assert (last.verdict, last.verdict_so_far, last.phase) == (None, Verdict.PASSED, Phase.SETTLING)
    definitions = last.retention.objects["customresourcedefinitions.apiextensions.k8s.io"]
    assert definitions.lost == len(truth.lost)
    assert (name == "stuck-handler") == (last.stalled == ("virt-handler",))
    blocked = [line for line in last.api.storage_blocked if "blocks upgrade" in line]
    assert bool(blocked) == bool(truth.blocked)
