"""The Lease: one holder at a time, by each candidate's own clock, whatever happens to the other."""

import contextlib
import datetime as dt
import pathlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from exporter import errors
from exporter.journal.election import NAME, Election
from exporter.sim.faults import Fault, Harm
from tests.unit.journal import lives

DURATION = 15.0
PATH = f"/apis/coordination.k8s.io/v1/namespaces/kubevirt/leases/{NAME}"
START = 1_800_000_000.0


class Hall:
    """Two candidates and a clock."""

    def __init__(self, server: lives.Cluster) -> None:
        self.server = server
        self.now = START
        self.one, self.two = (self.candidate(name) for name in ("one", "two"))

    def candidate(self, identity: str) -> Election:
        return Election(
            self.server.api, namespace="kubevirt", identity=identity, duration=DURATION, now=lambda: self.now
        )

    async def spec(self) -> dict[str, Any]:
        lease: dict[str, Any] = msgspec.json.decode(await self.server.api.get(PATH))
        spec: dict[str, Any] = lease["spec"]
        return spec

    def holders(self) -> list[str]:
        return [name for name, candidate in (("one", self.one), ("two", self.two)) if candidate.holds]

    async def wait(self, seconds: float, *candidates: Election) -> None:
        """Each of these makes its attempts."""
        for _ in range(round(seconds / DURATION * 3)):
            self.now += DURATION / 3
            for each in candidates:
                await each.attempt()
            assert not (self.one.holds and self.two.holds)


@contextlib.asynccontextmanager
async def hall(folder: pathlib.Path) -> AsyncIterator[Hall]:
    async with lives.cluster(folder) as server:
        yield Hall(server)


async def test_the_first_one_takes_it_and_keeps_it(tmp_path: pathlib.Path) -> None:
    async with hall(tmp_path) as here:
        await here.one.attempt()
        await here.two.attempt()
        assert (here.one.holds, here.two.holds) == (True, False)
        await here.wait(600, here.one, here.two)
        assert (here.one.holds, here.two.holds) == (True, False)
        spec = await here.spec()
        assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("one", 15, 0)
        assert dt.datetime.fromisoformat(spec["renewTime"]).timestamp() == here.now
        assert dt.datetime.fromisoformat(spec["acquireTime"]).timestamp() == START


async def test_a_silent_holder_is_followed_after_the_duration_and_not_before(tmp_path: pathlib.Path) -> None:
    async with hall(tmp_path) as here:
        await here.one.attempt()
        await here.wait(10, here.two)
        assert here.holders() == [], "one does not count on it any more, while the other must still wait"
        await here.wait(10, here.two)
        assert here.holders() == ["two"]
        spec = await here.spec()
        assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("two", 1)
        await here.one.attempt()
        assert here.holders() == ["two"]


async def test_clocks_need_not_agree(tmp_path: pathlib.Path) -> None:
    """What counts is for how long one has not seen the Lease change."""
    async with hall(tmp_path) as here:
        fast = Election(
            here.server.api, namespace="kubevirt", identity="fast", duration=DURATION, now=lambda: here.now + 1e6
        )
        await here.one.attempt()
        for _ in range(20):
            await fast.attempt()
            await here.wait(5, here.one)
        assert here.one.holds
        assert not fast.holds


async def test_a_released_lease_is_taken_at_once(tmp_path: pathlib.Path) -> None:
    async with hall(tmp_path) as here:
        await here.one.attempt()
        await here.one.release()
        assert not here.one.holds
        await here.two.attempt()
        assert here.two.holds
        await here.one.release()  # it has nothing to release
        assert (await here.spec())["holderIdentity"] == "two"


async def test_of_two_at_the_same_time_one_gets_it(tmp_path: pathlib.Path) -> None:
    """The other's write is refused, since the Lease has changed under it."""
    async with hall(tmp_path) as here:
        await here.one.attempt()
        await here.wait(5, here.two)
        here.now += 20
        here.server.simulation.faults.add(Fault(harm=Harm.STATUS, verb="update", code=409, times=1))
        await here.two.attempt()
        assert here.holders() == []
        await here.two.attempt()
        assert here.holders() == ["two"]


async def test_what_others_put_into_the_lease_stays(tmp_path: pathlib.Path) -> None:
    async with hall(tmp_path) as here:
        await here.one.attempt()
        patch = {"metadata": {"annotations": {"example.com/note": "do not touch"}}, "spec": {"strategy": "OldestFirst"}}
        await here.server.api.write("PATCH", PATH, patch, kind="application/merge-patch+json")
        await here.wait(30, here.one)
        lease = msgspec.json.decode(await here.server.api.get(PATH))
        assert lease["metadata"]["annotations"] == {"example.com/note": "do not touch"}
        assert lease["spec"]["strategy"] == "OldestFirst"


@pytest.mark.parametrize("spec", [{}, None, {"holderIdentity": ""}, {"holderIdentity": None}])
async def test_a_lease_that_nobody_holds_is_taken(spec: Any, tmp_path: pathlib.Path) -> None:  # noqa: ANN401
    async with hall(tmp_path) as here:
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": NAME}, "spec": spec}
        await here.server.api.write("POST", PATH.rpartition("/")[0], lease)
        await here.one.attempt()
        assert here.one.holds


async def test_while_requests_fail_it_is_held_until_it_runs_out(tmp_path: pathlib.Path) -> None:
    async with hall(tmp_path) as here:
        await here.one.attempt()
        here.server.simulation.faults.add(Fault(harm=Harm.STATUS, resource="leases.coordination.k8s.io", code=503))
        here.now += 9
        with pytest.raises(errors.Retry):
            await here.one.attempt()
        assert here.one.holds
        here.now += 2
        with pytest.raises(errors.Retry):
            await here.one.attempt()
        assert not here.one.holds


async def test_without_permission_nobody_holds_it(tmp_path: pathlib.Path) -> None:
    async with hall(tmp_path) as here:
        here.server.simulation.server.access.forbid("leases", group="coordination.k8s.io")
        with pytest.raises(errors.Forbidden):
            await here.one.attempt()
        assert not here.one.holds
