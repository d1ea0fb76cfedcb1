"""Whole replicas in front of a simulated cluster, hours in seconds: two of them, one that dies, an API that is away."""

import asyncio
import pathlib

import pytest

from exporter.journal import objects
from exporter.journal.source import Outcome, Standing
from exporter.model import probing
from exporter.model.changes import ListReplaced, ProbeFinished
from exporter.model.report import Phase, Report, Verdict
from exporter.report import encode
from exporter.sim.faults import Fault, Harm
from tests.unit.journal import lives
from tests.unit.journal.replicas import Replica, Stage, stage
from tests.unit.probes import virtual

RESOURCE = "upgradereports.kubevirt-upgrade-exporter.io"
PATH = "/apis/kubevirt-upgrade-exporter.io/v1alpha1/namespaces/kubevirt/upgradereports"


def facts(report: Report) -> dict[str, object]:
    """What is the same for all who watch."""
    continuity = report.continuity
    return {
        "path": (report.from_version, report.to_version, report.kind, report.phase, report.progress),
        "guests": (continuity.baseline, continuity.migrated, continuity.interrupted, continuity.unattributed),
        "named": [(anomaly.name, anomaly.kind) for anomaly in continuity.anomalies],
        "migrations": report.migrations,
        "leaders": [(lead.component, lead.transitions) for lead in report.leadership],
        "kept": report.retention,
        "components": [(c.name, c.from_version, c.to_version, c.ready, c.restarts) for c in report.components],
    }


async def finished(on: Stage, replica: Replica) -> Report:
    """The report in the cluster once the session is over."""
    await on.until(lambda: replica.report().phase.over)
    await asyncio.sleep(5)
    report = (await on.one()).report
    assert report is not None
    return report


@pytest.mark.parametrize("end", ["killed", "told to end"])
def test_a_hand_over_loses_nothing(end: str, tmp_path: pathlib.Path) -> None:
    """In the seconds between the first sign of an interruption and its judgement."""

    async def main() -> None:
        async with stage(tmp_path, "guest-evicted") as here, Replica(here) as holder:
            await here.until(lambda: holder.holds)
            async with Replica(here, seed=2) as standby:
                await here.until(lambda: len(here.simulation.truth.interruptions) > 0)
                name = (await here.one()).name
                assert (holder.standing, standby.standing) == (Standing.WRITING, Standing.STANDBY)
                assert standby.journal.source.writes.total() == 0
                began = here.now()
                await (holder.kill() if end == "killed" else holder.__aexit__())
                await here.until(lambda: standby.holds)
                assert here.now() - began < (21 if end == "killed" else 6)
                report = await finished(here, standby)
            assert (await here.one()).name == name
            assert facts(report) == facts(standby.report())
            assert report.continuity.interrupted.by_reason == {"evicted": 2}
            assert report.continuity.unobserved_seconds == 0
            assert report.verdict is Verdict.FAILED

    virtual.run(main())


def test_both_replicas_say_the_same_and_one_writes(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        async with stage(tmp_path, "guest-oom") as here, Replica(here) as one, Replica(here, seed=2) as two:
            await here.until(lambda: one.fold.active)
            while not one.report().phase.over:
                await asyncio.sleep(1)
                assert one.holds is not two.holds
            await asyncio.sleep(5)
            assert facts(one.report()) == facts(two.report())
            writer, other = (one, two) if one.holds else (two, one)
            assert writer.journal.source.writes[Outcome.WRITTEN] > 30
            assert other.journal.source.writes.total() == 0
            stored = (await here.one()).report
            assert stored is not None
            assert encode.document(stored) == encode.document(writer.report())

    virtual.run(main())


def probe(replica: Replica, second: float, *, reason: str = "") -> None:
    """A result that this replica alone has."""
    for name, why in ((probing.CONTROL, ""), ("subresource-version", reason)):
        replica.journal.emit(
            ProbeFinished(at=second + 0.2, probe=name, connection=probing.REUSED, sent=second, seconds=0.1, reason=why)
        )


def test_probes_of_two_replicas_are_merged_by_the_worse(tmp_path: pathlib.Path) -> None:
    """One saw four bad seconds, the other three others: four is what a client has had to bear."""

    async def main() -> None:
        async with stage(tmp_path, "clean") as here, Replica(here) as one, Replica(here, seed=2) as two:
            await here.until(lambda: one.fold.active and two.fold.active)
            writer, other = (one, two) if one.holds else (two, one)
            start = float(int(here.now()))
            for second in range(10):
                await asyncio.sleep(1)
                probe(writer, start + second, reason="timeout" if second < 4 else "")
                probe(other, start + second, reason="http_5xx" if second > 6 else "")
            await asyncio.sleep(30)
            await writer.kill()
            await here.until(lambda: other.holds)
            await asyncio.sleep(12)
            report = (await here.one()).report
            assert report is not None
            [row] = [row for row in report.api.probes if row.probe == "subresource-version"]
            assert (row.measured_seconds, row.disruption_seconds) == (10, 4)
            assert row.failures == {"http_5xx": 3, "timeout": 4}

    virtual.run(main())


def test_a_standby_that_was_restarted_goes_on_from_what_the_holder_wrote(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        async with stage(tmp_path, "guest-oom") as here, Replica(here) as one:
            await here.until(lambda: bool(here.simulation.truth.interruptions))
            await asyncio.sleep(40)
            async with Replica(here, seed=2) as two:
                await here.until(lambda: two.fold.ready)
                assert two.journal.source.resumed
                assert two.report().continuity.baseline == 20
                assert two.report().continuity.interrupted.total == 1
                await one.kill()
                report = await finished(here, two)
            assert report.continuity.interrupted.by_reason == {"out_of_memory": 1}
            assert report.continuity.unattributed == 0
            assert 0 < report.continuity.unobserved_seconds < 15

    virtual.run(main())


# --- an API that is away, refuses, or knows nothing


def test_half_an_hour_without_an_api(tmp_path: pathlib.Path) -> None:
    """All of it is unobserved, so the session cannot have passed; and the report goes on when the API is back."""

    async def main() -> None:
        async with stage(tmp_path, "guest-evicted") as here, Replica(here) as one:
            await here.until(lambda: one.fold.active and one.holds)
            await asyncio.sleep(20)
            here.simulation.faults.add(Fault(harm=Harm.REFUSED, seconds=1800))
            await asyncio.sleep(60)
            assert (one.holds, one.standing, one.fold.active) == (False, Standing.FAILING, True)
            await asyncio.sleep(1740)
            await here.until(lambda: one.holds, within=60)
            report = await finished(here, one)
            continuity = report.continuity
            assert continuity.interrupted.total + continuity.unattributed == 2
            assert continuity.unobserved_seconds == pytest.approx(1800, abs=60)
            assert report.verdict is not Verdict.PASSED
            assert continuity.baseline == 20

    virtual.run(main())


def test_a_start_while_the_api_is_away_waits_for_it(tmp_path: pathlib.Path) -> None:
    """However long: there is nothing else to be seen, and the session must go on."""

    async def main() -> None:
        async with stage(tmp_path, "clean") as here:
            async with Replica(here) as one:
                await here.until(lambda: one.fold.active and one.holds)
                await asyncio.sleep(20)
                await one.kill()
            here.simulation.faults.add(Fault(harm=Harm.REFUSED, seconds=1800))
            async with Replica(here, seed=2) as two:
                await asyncio.sleep(1790)
                assert two.standing is Standing.FAILING
                assert two.journal.resumed is None
                await here.until(lambda: two.fold.ready, within=90)
                assert two.journal.source.resumed
                assert two.report().continuity.unobserved_seconds > 1800

    virtual.run(main())


def test_an_api_that_answers_with_errors_is_not_waited_for_too_long(tmp_path: pathlib.Path) -> None:
    """The reports alone cannot be read: the upgrade must be watched."""

    async def main() -> None:
        async with stage(tmp_path, "clean") as here:
            fault = here.simulation.faults.add(Fault(harm=Harm.STATUS, resource=RESOURCE, code=500))
            async with Replica(here) as one:
                await asyncio.sleep(50)
                assert one.journal.resumed is None
                await here.until(lambda: one.fold.ready, within=60)
                assert one.journal.source.resumed is False
                assert one.fold.active, "nothing was lost meanwhile: it has waited"
                assert one.report().continuity.baseline == 20
                assert one.standing is Standing.FAILING
                here.simulation.faults.remove(fault)
                await here.until(lambda: one.standing is Standing.WRITING, within=60)
                assert (await here.one()).report is not None

    virtual.run(main())


@pytest.mark.parametrize("what", ["reports", "leases", "both"])
def test_without_permission_everything_else_works_and_permission_is_noticed(what: str, tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        async with stage(tmp_path, "clean") as here:
            allowed = here.simulation.server.access
            if what != "leases":
                allowed.forbid("upgradereports", group=objects.GROUP)
                allowed.forbid("upgradereports/status", group=objects.GROUP)
            if what != "reports":
                for verb in ("get", "create", "update"):
                    allowed.forbid("leases", group="coordination.k8s.io", verb=verb)
            async with Replica(here) as one:
                await here.until(lambda: one.fold.ready, within=20)
                await here.until(lambda: one.fold.active)
                await asyncio.sleep(70)
                assert one.standing is Standing.FORBIDDEN
                assert one.report().continuity.baseline == 20
                allowed.allow_everything()
                await here.until(lambda: one.standing is Standing.WRITING, within=130)
                report = await finished(here, one)
                assert report.verdict is one.report().verdict
                assert report.continuity.baseline == 20

    virtual.run(main())


def test_reports_are_written_as_soon_as_they_are_defined(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        async with stage(tmp_path, "clean", define=False) as here, Replica(here) as one:
            await here.until(lambda: one.fold.active)
            await asyncio.sleep(60)
            assert one.standing is Standing.ABSENT
            assert one.journal.source.writes[Outcome.ABSENT] < 20, "seldom"
            await lives.define(here.api)
            await here.until(lambda: one.standing is Standing.WRITING, within=90)
            assert (await here.one()).report is not None

    virtual.run(main())


# --- others who write


def test_two_who_both_believe_to_hold_the_lease_overwrite_nothing_unread(tmp_path: pathlib.Path) -> None:
    """A stranger takes our report, counts one interruption more, and writes it back, every seven seconds."""

    async def main() -> None:
        async with stage(tmp_path, "guest-evicted") as here, Replica(here) as one:
            await here.until(lambda: one.fold.active and one.holds)
            await asyncio.sleep(2)
            strangers = 0
            while not one.report().phase.over:
                await asyncio.sleep(7)
                stored = await here.one()
                if stored.report is None:
                    continue
                status = objects.status(stored.report, state='{"version":"of a stranger"}')
                await here.reports.write(stored.name, version=stored.version, status=status)
                strangers += 1
            report = await finished(here, one)
            assert strangers > 30
            assert one.journal.source.writes[Outcome.CONFLICT] > 30
            assert report.continuity.interrupted.by_reason == {"evicted": 2}
            assert report.phase is Phase.COMPLETED
            assert facts(report) == facts(one.report())

    virtual.run(main())


def test_a_person_closes_a_session_for_both_replicas(tmp_path: pathlib.Path) -> None:
    """The upgrade is stuck; nothing begins again while the target is the same."""

    async def main() -> None:
        async with stage(tmp_path, "stuck-handler") as here, Replica(here) as one, Replica(here, seed=2) as two:
            await here.until(lambda: one.fold.active and two.fold.active)
            await asyncio.sleep(100)
            name = (await here.one()).name
            patch = {"metadata": {"annotations": {objects.CLOSE: "rolled back by hand"}}}
            await here.api.write("PATCH", f"{PATH}/{name}", patch, kind="application/merge-patch+json")
            await here.until(lambda: not one.fold.active and not two.fold.active, within=12)
            await asyncio.sleep(120)
            stored = await here.one()
            assert stored.report is not None
            assert (stored.report.phase, stored.report.verdict) == (Phase.CLOSED, Verdict.INCONCLUSIVE)
            assert stored.closed, "the annotation stays"
            assert (one.report().phase, two.report().phase) == (Phase.CLOSED, Phase.CLOSED)

    virtual.run(main())


# --- no KubeVirt


def test_where_there_is_no_kubevirt_nothing_is_waited_for(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        async with stage(tmp_path, "clean") as here, Replica(here, namespace="") as one:
            await here.until(lambda: one.fold.ready, within=20)
            assert one.journal.source.resumed is False
            empty = Replica(here, namespace="")
            async with empty:
                none = ListReplaced(
                    at=here.now(), resource="kubevirts.kubevirt.io", added=(), changed=(), removed=(), initial=True
                )
                empty.journal.emit(none)
                assert empty.journal.resumed == ()

    virtual.run(main())
