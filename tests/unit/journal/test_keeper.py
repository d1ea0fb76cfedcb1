"""What is written when, against an API server: at once, in time, never over what somebody else wrote, never twice."""

import contextlib
import pathlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from exporter import errors
from exporter.fold import Fold
from exporter.journal import objects, resuming, state
from exporter.journal.keeper import Keeper
from exporter.journal.objects import Stored
from exporter.journal.source import JournalSource, Outcome
from exporter.model import resources
from exporter.model.changes import SessionClosed
from exporter.model.report import Interrupted, Phase, Verdict
from exporter.report import encode
from exporter.sim.faults import Fault, Harm
from tests.cluster import NEW, OLD, Cluster
from tests.unit.journal import lives

PATH = "/apis/kubevirt-upgrade-exporter.io/v1alpha1/namespaces/kubevirt/upgradereports"


class Desk:
    """A keeper for a cluster of the test's making, and the API server it writes to."""

    def __init__(self, server: lives.Cluster, *, guests: int = 3, most: int = 20) -> None:
        self.server = server
        self.cluster = Cluster(guests=guests).list_all()
        self._most = most
        self.begin()

    def begin(self) -> None:
        """A keeper that knows nothing."""
        self.source = JournalSource()
        self.keeper = Keeper(
            self.server.reports,
            self.cluster.fold,
            lambda: Fold(self.cluster.settings, exporter_version="test"),
            source=self.source,
            now=lambda: self.cluster.now,
            interval=10,
            most=self._most,
        )

    async def wait(self, seconds: int) -> None:
        """Time passes; the keeper looks every second."""
        for _ in range(seconds):
            self.cluster.wait(1)
            await self.keeper.beat()

    async def stored(self) -> list[Stored]:
        return await self.server.reports.read()

    async def one(self) -> Stored:
        [stored] = await self.stored()
        return stored

    async def patch(self, name: str, patch: dict[str, Any], subresource: str = "") -> None:
        """What somebody else does."""
        await self.server.api.write("PATCH", f"{PATH}/{name}{subresource}", patch, kind="application/merge-patch+json")

    async def restart(self, *, blind: float = 3.0) -> resuming.Resumed:
        """A new process goes on from what is stored, and lists everything."""
        self.cluster.fold = fold = Fold(self.cluster.settings, exporter_version="test")
        self.begin()
        resumed = resuming.resume(
            await self.stored(), fold, lambda: Fold(self.cluster.settings, exporter_version="t"), now=self.cluster.now
        )
        self.keeper.resumed(resumed)
        self.cluster.now += blind
        self.cluster.stores = {name: type(store)(name) for name, store in self.cluster.stores.items()}
        self.cluster.list_all()
        return resumed

    @property
    def written(self) -> int:
        return self.source.writes[Outcome.WRITTEN]


@contextlib.asynccontextmanager
async def desk(folder: pathlib.Path, *, guests: int = 3, most: int = 20) -> AsyncIterator[Desk]:
    async with lives.cluster(folder) as server:
        yield Desk(server, guests=guests, most=most)


def told(stored: Stored) -> dict[str, Any]:
    """What the object says, as everybody sees it."""
    assert stored.report is not None
    return encode.document(stored.report)


# --- when


async def test_nothing_is_written_while_there_has_been_no_session(tmp_path: pathlib.Path) -> None:
    async with desk(tmp_path) as here:
        await here.wait(30)
        assert await here.stored() == []


async def test_a_session_is_written_at_once_and_then_every_ten_seconds(tmp_path: pathlib.Path) -> None:
    async with desk(tmp_path) as here:
        here.cluster.put(resources.DEPLOYMENTS, here.cluster.workload("virt-operator", NEW))
        await here.keeper.beat()
        stored = await here.one()
        assert stored.report is not None
        assert (stored.report.phase, stored.report.to_version) == (Phase.PREPARING, NEW)
        assert stored.name == "20270115-080000-v1.4.0"
        assert stored.state
        await here.wait(9)
        assert here.written == 1
        await here.wait(31)
        assert here.written == 5


@pytest.mark.parametrize("what", ["interruption", "phase", "lost", "duplicate"])
async def test_what_goes_wrong_or_moves_on_is_written_at_once(what: str, tmp_path: pathlib.Path) -> None:
    async with desk(tmp_path) as here:
        cluster = here.cluster
        cluster.begin_upgrade()
        await here.keeper.beat()
        match what:
            case "interruption":
                cluster.change(resources.VMIS, "team/vm-0", phase="Failed")
                await here.wait(29)
                await here.keeper.beat()
                before = here.written
                await here.wait(1)
                assert told(await here.one()) == encode.document(cluster.report())
                assert cluster.report().continuity.interrupted.total == 1
                assert here.written == before + 1
                return
            case "phase":
                cluster.put(resources.DAEMONSETS, cluster.workload("virt-handler", NEW))
            case "lost":
                cluster.remove(resources.VMS, "team/vm-0", unseen=True)
                cluster.relist(resources.VMS)
            case "duplicate":
                cluster.put(resources.LAUNCHERS, cluster.launcher("vm-0", "vmi-vm-0", serial=7))
                for _ in range(6):
                    cluster.wait(10)
            case _:
                raise AssertionError(what)
        before = here.written
        await here.keeper.beat()
        assert here.written == before + 1


async def test_a_finished_session_is_written_once_more_and_then_left_alone(tmp_path: pathlib.Path) -> None:
    async with desk(tmp_path) as here:
        here.cluster.begin_upgrade()
        here.cluster.fold.feed(SessionClosed(at=here.cluster.now))
        await here.keeper.beat()
        stored = await here.one()
        assert stored.report is not None
        assert stored.report.phase is Phase.CLOSED
        await here.wait(100)
        assert here.written == 1
        await here.restart(blind=100_000)
        await here.wait(100)
        assert here.written == 0
        assert (await here.one()).version == stored.version


async def test_nothing_is_written_before_everything_that_decides_is_listed(tmp_path: pathlib.Path) -> None:
    """A state taken then would forget for how long nobody has watched."""
    async with desk(tmp_path) as here:
        here.cluster.begin_upgrade()
        await here.keeper.beat()
        before = await here.one()
        here.cluster.fold = fold = Fold(here.cluster.settings, exporter_version="test")
        here.begin()
        here.keeper.resumed(resuming.resume(await here.stored(), fold, lambda: fold_like(here), now=here.cluster.now))
        here.cluster.now += 50
        here.cluster.stores = {name: type(store)(name) for name, store in here.cluster.stores.items()}
        here.cluster.list_all(without=(resources.VMIS,))
        await here.keeper.beat()
        assert (await here.one()).version == before.version
        here.cluster.relist(resources.VMIS)
        await here.keeper.beat()
        after = (await here.one()).report
        assert after is not None
        assert after.continuity.unobserved_seconds == pytest.approx(50, abs=20)


def fold_like(here: Desk) -> Fold:
    return Fold(here.cluster.settings, exporter_version="test")


# --- which object


async def test_the_state_moves_to_the_next_session_and_is_never_away(tmp_path: pathlib.Path) -> None:
    async with desk(tmp_path) as here:
        here.cluster.begin_upgrade()
        here.cluster.roll("virt-handler", NEW)
        await here.keeper.beat()
        here.cluster.put(resources.KUBEVIRTS, here.cluster.kubevirt(target=OLD, observed=OLD, operator=NEW))
        here.server.simulation.faults.add(Fault(harm=Harm.STATUS, verb="create", resource=RESOURCE, code=500, times=1))
        with pytest.raises(errors.Retry):
            await here.keeper.beat()
        first = await here.one()
        assert first.report is not None
        assert first.report.phase is Phase.SUPERSEDED, "how it ended is known though the next has no object yet"
        here.keeper.forget()
        resumed = await here.restart()
        assert [report.to_version for report in resumed.reports] == [NEW, OLD]
        await here.keeper.beat()
        old, new = sorted(await here.stored(), key=lambda stored: stored.name)
        assert (bool(old.state), bool(new.state)) == (False, True)
        assert old.report is not None
        assert (old.report.phase, old.report.verdict) == (Phase.SUPERSEDED, Verdict.INCONCLUSIVE)


RESOURCE = "upgradereports.kubevirt-upgrade-exporter.io"


async def test_a_restart_goes_on_in_the_same_object(tmp_path: pathlib.Path) -> None:
    async with desk(tmp_path) as here:
        here.cluster.begin_upgrade()
        await here.keeper.beat()
        before = await here.one()
        resumed = await here.restart()
        assert resumed.name == before.name
        await here.wait(11)
        after = await here.one()
        assert (after.name, after.uid) == (before.name, before.uid)
        assert after.version != before.version


async def test_an_object_that_was_created_and_not_written_is_used(tmp_path: pathlib.Path) -> None:
    """Whoever created it ended in between."""
    async with desk(tmp_path) as here:
        here.cluster.begin_upgrade()
        here.server.simulation.faults.add(Fault(harm=Harm.STATUS, verb="patch", resource=RESOURCE, code=503, times=1))
        with pytest.raises(errors.Retry):
            await here.keeper.beat()
        empty = await here.one()
        assert empty.report is None
        await here.restart()
        await here.keeper.beat()
        stored = await here.one()
        assert (stored.uid, stored.report is None) == (empty.uid, False)


async def test_a_session_that_was_none_leaves_no_report(tmp_path: pathlib.Path) -> None:
    """virt-operator alone was replaced, and nothing followed."""
    async with desk(tmp_path) as here:
        here.cluster.roll("virt-operator", NEW)
        here.cluster.put(resources.KUBEVIRTS, here.cluster.kubevirt(operator=NEW))
        await here.keeper.beat()
        assert len(await here.stored()) == 1
        here.cluster.wait(700)
        await here.keeper.beat()
        assert await here.stored() == []


async def test_the_newest_are_kept_and_only_ours_are_deleted(tmp_path: pathlib.Path) -> None:
    async with desk(tmp_path, most=3) as here:
        await here.server.api.write(
            "POST",
            PATH,
            {
                "apiVersion": "kubevirt-upgrade-exporter.io/v1alpha1",
                "kind": "UpgradeReport",
                "metadata": {"name": "a-persons"},
            },
        )
        here.cluster.begin_upgrade()
        here.cluster.control_plane()
        for number in range(5):
            here.server.simulation.advance(60)  # objects have creation times
            here.cluster.put(resources.KUBEVIRTS, here.cluster.kubevirt(target=(OLD, NEW)[number % 2], observed=NEW))
            here.cluster.wait(60)
            await here.keeper.beat()
        names = [stored.name for stored in await here.stored()]
        assert len(names) == 3
        assert names == sorted(names)
        assert names[-1].endswith("-v1.3.0")
        body = msgspec.json.decode(await here.server.api.get(PATH))
        assert "a-persons" in {item["metadata"]["name"] for item in body["items"]}


async def test_a_report_that_a_person_deletes_stays_deleted_unless_its_session_goes_on(tmp_path: pathlib.Path) -> None:
    async with desk(tmp_path) as here:
        here.cluster.begin_upgrade()
        await here.keeper.beat()
        await here.server.reports.delete(await here.one())
        with pytest.raises(errors.Absent):
            await here.wait(11)
        here.keeper.forget()
        await here.keeper.beat()
        assert (await here.one()).report is not None
        here.cluster.fold.feed(SessionClosed(at=here.cluster.now))
        await here.keeper.beat()
        await here.server.reports.delete(await here.one())
        here.keeper.forget()
        await here.wait(20)
        assert await here.stored() == []


# --- others who write


async def test_an_annotation_is_kept_and_costs_one_more_attempt(tmp_path: pathlib.Path) -> None:
    async with desk(tmp_path) as here:
        here.cluster.begin_upgrade()
        await here.keeper.beat()
        name = (await here.one()).name
        await here.patch(name, {"metadata": {"annotations": {"example.com/ticket": "4711"}}})
        with pytest.raises(errors.Conflict):
            await here.wait(11)
        here.keeper.forget()
        await here.keeper.beat()
        body = msgspec.json.decode(await here.server.api.get(f"{PATH}/{name}"))
        assert body["metadata"]["annotations"] == {"example.com/ticket": "4711"}
        assert told(objects.read(msgspec.convert(body, objects.Item))) == encode.document(here.cluster.report())


async def test_what_another_replica_wrote_is_not_lost(tmp_path: pathlib.Path) -> None:
    """It held the Lease for a while, and saw a second of disruption and a loss that we have not seen."""
    async with desk(tmp_path) as here:
        here.cluster.begin_upgrade()
        await here.keeper.beat()
        ours = here.cluster.report()
        theirs = objects.status(
            msgspec.structs.replace(
                ours,
                continuity=msgspec.structs.replace(
                    ours.continuity, interrupted=msgspec.convert({"total": 1, "byReason": {"failed": 1}}, Interrupted)
                ),
            ),
            state='{"version":1}',
        )
        before = await here.one()
        await here.server.reports.write(before.name, version=before.version, status=theirs)
        with pytest.raises(errors.Conflict):
            await here.wait(11)
        here.keeper.forget()
        await here.keeper.beat()
        here.cluster.change(resources.VMIS, "team/vm-0", phase="Failed")
        await here.wait(40)
        report = (await here.one()).report
        assert report is not None
        assert report.continuity.interrupted.total == 2
        assert here.cluster.report().continuity.interrupted.total == 2, "the page says the same"


async def test_the_session_is_found_though_another_replica_saw_it_begin_at_another_second(
    tmp_path: pathlib.Path,
) -> None:
    async with desk(tmp_path) as here:
        here.cluster.begin_upgrade()
        await here.keeper.beat()
        before = await here.one()
        other = Cluster(guests=3)
        other.now = here.cluster.now - 50  # behind by less than the session is old
        here.cluster = other.list_all()
        here.cluster.begin_upgrade()
        here.begin()
        await here.keeper.beat()
        assert (await here.one()).uid == before.uid


# --- what cannot be read


@pytest.mark.parametrize("state", ['{"version":99,"from":"the future"}', "{", '{"version":1}'])
async def test_a_state_that_cannot_be_read_is_told_and_set_aside(state: str, tmp_path: pathlib.Path) -> None:
    """What the report itself says still counts."""
    async with desk(tmp_path) as here:
        here.cluster.begin_upgrade()
        here.cluster.change(resources.VMIS, "team/vm-0", phase="Failed")
        here.cluster.wait(40)
        await here.keeper.beat()
        name = (await here.one()).name
        await here.patch(name, {"status": {"state": state}}, "/status")
        resumed = await here.restart()
        assert resumed.name == ""
        assert here.source.unreadable == 1
        await here.wait(11)
        stored = await here.one()
        assert [aside.state for aside in stored.set_aside] == [state]
        assert stored.name == name
        assert stored.report is not None
        assert stored.report.continuity.interrupted.total == 1
        assert stored.report.continuity.baseline == 3
        assert stored.report.verdict is Verdict.FAILED
        assert here.source.unreadable == 1, "told once"
        assert (await here.restart()).name == name
        await here.wait(11)
        assert [aside.state for aside in (await here.one()).set_aside] == [state], "it stays"
        report = (await here.one()).report
        assert report is not None
        assert report.continuity.interrupted.total == 1


async def test_of_a_huge_state_that_cannot_be_read_only_the_beginning_is_set_aside(tmp_path: pathlib.Path) -> None:
    """With our own it would not fit into etcd, and nothing could be written any more."""
    async with desk(tmp_path) as here:
        here.cluster.begin_upgrade()
        await here.keeper.beat()
        await here.patch((await here.one()).name, {"status": {"state": "x" * 900_000}}, "/status")
        await here.restart()
        await here.wait(11)
        [aside] = (await here.one()).set_aside
        assert aside.state == "x" * state.LIMIT


async def test_a_report_that_cannot_be_read_is_told_and_left_alone(tmp_path: pathlib.Path) -> None:
    async with desk(tmp_path) as here:
        here.cluster.begin_upgrade()
        await here.keeper.beat()
        name = (await here.one()).name
        await here.patch(name, {"status": {"verdictSoFar": "splendid"}}, "/status")
        before = next(stored for stored in await here.stored())
        here.cluster.now += 5
        await here.restart()
        await here.wait(20)
        assert here.source.unreadable == 1
        after = {stored.name: stored for stored in await here.stored()}
        assert after[name].version == before.version
        assert len(after) in {1, 2}


async def test_a_state_that_is_longer_than_allowed_is_told(tmp_path: pathlib.Path) -> None:
    async with desk(tmp_path, guests=3000) as here:
        here.cluster.begin_upgrade()
        await here.keeper.beat()
        assert here.source.state_bytes is not None
        assert here.source.dropped == 0
        for number in range(3000):
            here.cluster.change(resources.VMIS, f"team/vm-{number}", phase="Failed", reason="x" * 80)
        await here.wait(10)
        assert here.source.dropped > 0
        assert here.source.state_bytes <= 256 * 1024
        samples = {sample.family.name: sample.value for sample in here.source.samples(0.0)}
        assert samples["exporter_journal_state_bytes"] == here.source.state_bytes
        assert samples["exporter_journal_state_dropped_parts"] == here.source.dropped
