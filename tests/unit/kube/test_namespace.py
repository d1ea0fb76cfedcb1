"""Where KubeVirt is installed."""

import asyncio

from exporter.kube.namespace import InstallNamespace
from exporter.model import objects, resources
from exporter.model.changes import ListReplaced, ObjectChanged, TimePassed


def appeared(key: str, resource: str = resources.KUBEVIRTS) -> ObjectChanged:
    return ObjectChanged(at=1, resource=resource, old=None, new=objects.KubeVirt(key=key, uid="u"))


async def test_name_that_is_given_counts() -> None:
    namespace = InstallNamespace("mine")
    namespace.learn(appeared("other/kubevirt"))
    assert await namespace.get() == "mine"


async def test_who_asks_waits_for_the_first_kubevirt() -> None:
    namespace = InstallNamespace()
    asking = asyncio.create_task(namespace.get())
    for change in (
        TimePassed(at=1),
        appeared("x/y", resource=resources.VMS),
        ObjectChanged(at=1, resource=resources.KUBEVIRTS, old=appeared("gone/kubevirt").new, new=None),
        ListReplaced(at=1, resource=resources.KUBEVIRTS, added=(), changed=(), removed=(), initial=True),
    ):
        namespace.learn(change)
    await asyncio.sleep(0)
    assert not asking.done()
    namespace.learn(appeared("kubevirt/kubevirt"))
    namespace.learn(appeared("later/kubevirt"))
    assert await asking == "kubevirt"
