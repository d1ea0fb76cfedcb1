"""Reads the cluster once: every list of the table of resources, through the same tracker as the daemon's watches.

What cannot be read is noted with its reason and costs only itself.
"""

import asyncio
import collections
import email.utils
from collections.abc import Mapping

import msgspec

from exporter import errors, settings
from exporter.kube import decode, listing
from exporter.kube.api import Api
from exporter.model import resources
from exporter.model.changes import ListReplaced, Sync, SyncChanged
from exporter.model.objects import KubeVirt, Object, Pod
from exporter.model.resources import ResourceSpec, Scope
from exporter.preflight.tables import Tables
from exporter.preflight.world import Amount, Question, World
from exporter.tracker.tracker import Tracker

_PAGE = 500
_AT_ONCE = 4
"""Lists asked for at the same time: enough to be quick, few enough not to be felt."""
_OTHERS = resources.BY_NAME[resources.LAUNCHERS]


class Beyond(msgspec.Struct, frozen=True):
    """What no watch tells."""

    others: Mapping[str, Amount] | str
    """What pods request that are neither guests' nor of the install namespace, by node; or why that is not known."""
    server: str
    """The API server's version; empty where it does not say."""


class Fetched(msgspec.Struct, frozen=True):
    """What was read, and when by the API server's clock."""

    tracker: Tracker
    tables: Tables
    others: Mapping[str, Amount] | str
    reasons: Mapping[str, str]
    server: str
    now: float

    def world(self, target: str, *, rollback_required: bool = False) -> World:
        """For a question."""
        question = Question(target=target, now=self.now, rollback_required=rollback_required)
        return World(question, self.tracker, self.tables, others=self.others, server=self.server, reasons=self.reasons)


async def fetch(api: Api, core: settings.Settings, *, namespace: str, now: float) -> Fetched:
    """Read everything. `namespace`: KubeVirt's, or empty for that of its KubeVirt resource. `now`: by our clock.

    Raises ApiError where the API server cannot be reached at all.
    """
    server, now = await _server(api, now)
    reading = _Reading(api, core, now=now)
    await reading.read(resources.BY_NAME[resources.KUBEVIRTS], namespace="")
    where = namespace or reading.install_namespace
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(spec: ResourceSpec) -> None:
        async with limit:
            await reading.read(spec, namespace=where)

    async with asyncio.TaskGroup() as group:
        for spec in resources.RESOURCES:
            if spec.name != resources.KUBEVIRTS:
                group.create_task(one(spec), name=f"list {spec.name}")
        others = group.create_task(_others(api, where), name="list other pods")
    return Fetched(reading.tracker, reading.tables, others.result(), reading.reasons, server, now)


class _Version(msgspec.Struct, rename="camel"):
    git_version: str = ""


async def beyond(api: Api, *, install_namespace: str) -> Beyond:
    """Read what no watch tells. It does not raise: what cannot be read says why."""
    try:
        server, _ = await _server(api, 0.0)
    except errors.ApiError:
        server = ""
    return Beyond(await _others(api, install_namespace), server)


async def _server(api: Api, now: float) -> tuple[str, float]:
    """The API server's version and time: a heartbeat's age must not depend on the clock of the machine we run on."""
    answer = await api.request("GET", "/version")
    try:
        version = msgspec.json.decode(answer.body, type=_Version).git_version if answer.status == 200 else ""
    except msgspec.DecodeError:
        version = ""
    try:
        return version, email.utils.parsedate_to_datetime(answer.headers.get("Date", "")).timestamp()
    except ValueError:
        return version, now


class _Reading:
    """The lists read so far, folded."""

    def __init__(self, api: Api, core: settings.Settings, *, now: float) -> None:
        self.tracker = Tracker(core)
        self.tables = Tables()
        self.reasons: dict[str, str] = {}
        self.install_namespace = ""
        self._api = api
        self._now = now

    async def read(self, spec: ResourceSpec, *, namespace: str) -> None:
        """One list into tracker and tables, or the reason why not."""
        if spec.scope is Scope.INSTALL_NAMESPACE and not namespace:
            self.reasons[spec.name] = "KubeVirt's namespace is not known"
            return
        try:
            objects = await _list(self._api, spec, namespace if spec.scope is Scope.INSTALL_NAMESPACE else "")
        except errors.Forbidden as error:
            self._refused(spec, Sync.FORBIDDEN, error)
        except errors.Absent as error:
            self._refused(spec, Sync.ABSENT, error)
        except (errors.ApiError, errors.UnreadableError) as error:
            self.reasons[spec.name] = str(error)
        else:
            self._fold(ListReplaced(self._now, spec.name, tuple(objects), (), (), initial=True))
            if spec.name == resources.KUBEVIRTS and objects:
                oldest = min(objects, key=lambda each: (each.created or 0.0, each.key))
                self.install_namespace = oldest.namespace if isinstance(oldest, KubeVirt) else ""

    def _refused(self, spec: ResourceSpec, state: Sync, error: errors.ApiError) -> None:
        self.reasons[spec.name] = str(error)
        self._fold(SyncChanged(self._now, spec.name, state))

    def _fold(self, change: ListReplaced | SyncChanged) -> None:
        self.tables.observe(change)
        for _ in self.tracker.observe(change):
            pass


async def _list(api: Api, spec: ResourceSpec, namespace: str) -> list[Object]:
    """All objects of a row. Raises ApiError, and UnreadableError where one cannot be read: it might be the one."""
    decoder = decode.DECODERS[spec.decode]
    objects: list[Object] = []
    async for body in listing.bodies(api, spec, namespace=namespace):
        page = decoder.page(body)
        if page.malformed:
            first = page.malformed[0]
            raise errors.UnreadableError(f"{first.key or 'an object without a name'} is malformed: {first.error}")
        objects += page.objects
    return objects


async def _others(api: Api, install_namespace: str) -> Mapping[str, Amount] | str:
    """What pods request that are neither guests' nor of the install namespace, by node; or why that is not known."""
    spec = msgspec.structs.replace(_OTHERS, label_selector="kubevirt.io!=virt-launcher", page=_PAGE)
    try:
        pods = await _list(api, spec, "")
    except (errors.ApiError, errors.UnreadableError) as error:
        return f"pods: {error}"
    cpu: collections.Counter[str] = collections.Counter()
    memory: collections.Counter[str] = collections.Counter()
    for pod in pods:
        if not isinstance(pod, Pod) or not pod.node or pod.phase in ("Succeeded", "Failed"):
            continue
        if pod.namespace == install_namespace and pod.label:
            continue  # KubeVirt's own, counted with the components
        cpu[pod.node] += pod.cpu  # type: ignore[assignment]  # a Counter of floats
        memory[pod.node] += pod.memory  # type: ignore[assignment]
    return {node: Amount(cpu[node], memory[node]) for node in memory}
