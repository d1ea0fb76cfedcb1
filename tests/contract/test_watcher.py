"""All resources at once: one stream of changes, in the order of time."""

import asyncio

from exporter import settings
from exporter.kube.api import Api
from exporter.kube.namespace import InstallNamespace
from exporter.kube.reflector import Surroundings
from exporter.kube.watcher import Watcher
from exporter.model.changes import Change, Sync
from tests.contract.following import LIMITS
from tests.contract.subjects import Subject, until
from tests.contract.test_reflector import KUBEVIRTS, LEASES, POLICIES, SNAPSHOTS, VMS, lease, vm

SPECS = (LEASES, VMS, KUBEVIRTS, SNAPSHOTS, POLICIES)


async def test_all_resources_are_told_of_in_the_order_of_time(subject: Subject) -> None:
    """Leases are looked for where the KubeVirt resource is; a resource that is absent does not hinder the others."""
    told: list[Change] = []
    async with subject:
        for spec in (VMS, KUBEVIRTS):
            await subject.define(spec)
        await subject.define(SNAPSHOTS, "v1alpha1")
        await subject.put(KUBEVIRTS, vm("kubevirt"))
        await subject.put(LEASES, lease("a"))
        async with Api(await subject.access(), deadline=10) as api:
            namespace = InstallNamespace()
            around = Surroundings(api=api, emit=told.append, watching=settings.Watching(**LIMITS), namespace=namespace)
            watcher = Watcher(around, specs=SPECS)
            assert [status.sync for status in watcher.statuses] == [Sync.UNKNOWN] * len(SPECS)
            running = asyncio.create_task(watcher.run())

            async def all_known() -> bool:
                return Sync.UNKNOWN not in {status.sync for status in watcher.statuses}

            await until(all_known)
            for n in range(20):
                await subject.put(VMS, vm(f"vm-{n}"))
                await subject.put(LEASES, lease("a", holder=f"holder-{n}"))
                await subject.put(SNAPSHOTS, vm(f"s-{n}"))

            async def all_told() -> bool:
                return [status.objects for status in watcher.statuses] == [1, 20, 1, 20, 0] and len(told) >= 5 + 60

            await until(all_told)
            running.cancel()
            await asyncio.wait([running])
        assert [status.resource for status in watcher.statuses] == [spec.name for spec in SPECS]
        assert [status.sync for status in watcher.statuses] == [*[Sync.SYNCED] * 4, Sync.ABSENT]
        assert [change.at for change in told] == sorted(change.at for change in told)
