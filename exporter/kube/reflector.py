"""Keeps one resource's objects in step with the API server, for ever, and tells every change.

The contract: list in pages; replace the store in one change; watch from the list's version with bookmarks; where the
version is too old, list again; where the stream is cut or silent, go on from the last version seen; wait between
attempts, longer each time; what is forbidden or absent is said and tried again seldom. Versions are opaque.

Not here: what requests look like on the wire (`api`), what objects look like (`decode`), what changes mean.
"""

import asyncio
import dataclasses
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn, assert_never

from exporter import errors, settings
from exporter.kube import decode, discovery, lines
from exporter.kube.api import MESSAGE_CHARACTERS, Api, Stream
from exporter.kube.backoff import Backoff
from exporter.kube.clock import Clock
from exporter.kube.namespace import InstallNamespace
from exporter.kube.status import WatchStatus
from exporter.kube.tap import NOBODY, Tap
from exporter.model import probing
from exporter.model.changes import Change, Sync, SyncChanged
from exporter.model.objects import Object
from exporter.model.resources import ResourceSpec, Scope
from exporter.model.store import Store

_LOG: Final = logging.getLogger(__name__)

GIVE_UP_VERSION: Final = 5
"""Attempts to go on from a version before a fresh list is worth its cost."""
BELIEVE_ABSENT: Final = 3
"""Times a resource that we have listed may be answered with 404 before it counts as absent: CRDs that are being changed
are unserved for a moment."""

MOST_NOTED: Final = 100
"""Malformed objects named in the log; all are counted."""

_AS: Final = "application/json;as={kind};g=meta.k8s.io;v=v1,application/json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What reflectors share, and what tests replace."""

    api: Api
    emit: Callable[[Change], None]
    watching: settings.Watching
    namespace: InstallNamespace
    tap: Tap = NOBODY
    clock: Clock = dataclasses.field(default_factory=Clock)
    rng: random.Random = dataclasses.field(default_factory=random.Random)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Reflector:
    """Watches one row of the resource table."""

    def __init__(self, spec: ResourceSpec, surroundings: Surroundings) -> None:
        self.spec = spec
        self._around = surroundings
        self._limits = surroundings.watching
        self._decoder = decode.DECODERS[spec.decode]
        self._store = Store(spec.name)
        self._path = ""
        """Of the list, at the API version in use; empty where that is yet to be found out."""
        self._version = ""
        """To watch from; empty where a list must come first."""
        self._backoff = self._new_backoff(cap=self._limits.backoff_cap)
        self._refusals = self._new_backoff(cap=self._limits.refused_retry)
        self._holds = False
        """The present watch has shown that it goes on from our version."""
        self._trouble = ""
        self._noted: set[str] = set()
        self._status = WatchStatus(resource=spec.name)

    @property
    def status(self) -> WatchStatus:
        """How well this resource is watched. It goes on counting."""
        self._status.objects = len(self._store)
        return self._status

    async def run(self) -> NoReturn:
        """List and watch until cancelled."""
        while True:
            try:
                if not self._version:
                    await self._list()
                began = self._around.clock.now()
                await self._watch()
            except errors.ApiError as error:
                await self._around.sleep(self._react(error))
            else:
                if self._around.clock.now() - began < self._limits.watch_trial:
                    await self._around.sleep(self._backoff.next())  # a server that hangs up after each event

    # --- listing

    async def _list(self) -> None:
        """Replace all objects in one change. Raises ApiError."""
        path = self._path or await self._find_path()
        parameters = {"limit": str(self.spec.page)} | self._selection()
        accept = self._accept("PartialObjectMetadataList")
        objects: list[Object] = []
        malformed: list[decode.Malformed] = []
        self._around.tap.listing(self.spec, at=self._around.clock.now())
        while True:
            body = await self._around.api.get(path, parameters, accept=accept)
            self._status.received_bytes += len(body)
            try:
                page = self._decoder.page(body)
            except errors.UnreadableError as error:
                raise errors.Retry(str(error), reason="unreadable") from error
            self._around.tap.page(self.spec, body, at=self._around.clock.now())
            objects += page.objects
            malformed += page.malformed
            if not page.token:
                break
            parameters["continue"] = page.token
        self._path, self._version = path, page.version
        self._status.relists += self._status.last_event_at is not None
        self._replace(objects, malformed)

    def _replace(self, objects: list[Object], malformed: list[decode.Malformed]) -> None:
        for each in malformed:
            self._note(each)
        unread = frozenset(each.key for each in malformed)
        # Where one cannot be named, nobody knows which of those that seem to be gone it is.
        keep = self._store.keys() if "" in unread else unread
        self._become(Sync.SYNCED, why=f"listed {len(objects)} objects", tell=False)  # the replacement itself says it
        self._status.last_event_at = now = self._around.clock.now()
        self._around.tap.listed(self.spec, self._version, at=now)
        self._around.emit(self._store.replace(objects, at=now, keep=keep))

    async def _find_path(self) -> str:
        namespace = ""
        if self.spec.scope is Scope.INSTALL_NAMESPACE:
            namespace = f"namespaces/{await self._around.namespace.get()}/"
        root = await discovery.root(self._around.api, self.spec)
        return f"{root}/{namespace}{self.spec.plural}"

    # --- watching

    async def _watch(self) -> None:
        """Follow one stream to its end. Raises ApiError where it does not end as it should."""
        lifetime = self._limits.watch_lifetime
        parameters = self._selection() | {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(round(self._around.rng.uniform(lifetime, 2 * lifetime))),
        }
        accept = self._accept("PartialObjectMetadata")
        self._status.watches += 1
        self._holds = False
        splitter = lines.Splitter(limit=self._limits.longest_line)
        async with self._around.api.watch(self._path, parameters, accept=accept) as stream:
            while chunk := await self._read(stream):
                self._status.received_bytes += len(chunk)
                try:
                    blocks = splitter.feed(chunk)
                except lines.TooLong as error:
                    raise errors.ApiError(str(error), reason="line_too_long") from error
                for block in blocks:
                    self._take(block)
        if not self._holds:
            raise errors.Retry("the watch ended as soon as it had begun", reason="short_watch")

    async def _read(self, stream: Stream) -> bytes:
        """The next bytes, empty at the end. Raises Retry after too long a silence."""
        if not self._holds:
            try:
                async with asyncio.timeout(self._limits.watch_trial):
                    return await stream.read()
            except TimeoutError:
                self._hold()  # a version that is too old would have been refused by now
        try:
            async with asyncio.timeout(self._limits.watch_silence):
                return await stream.read()
        except TimeoutError as error:
            raise errors.Retry(f"silent for {self._limits.watch_silence:g} s", reason="silence") from error

    def _take(self, block: lines.Block) -> None:
        """Take in events. Raises ApiError where one ends the watch."""
        events = self._decoder.events(block)
        good = bool(events) and not isinstance(events[0], decode.Ended)
        if good:
            self._hold()
        now = self._around.clock.now()
        if good:
            self._status.last_event_at = now
        self._around.tap.events(self.spec, block, at=now)
        for event in events:
            change: Change | None = None
            match event:
                case decode.Upserted():
                    change = self._store.upsert(event.object, at=now)
                case decode.Removed():
                    change = self._store.delete(event.key, at=now)
                case decode.Malformed():
                    self._note(event)
                case decode.Bookmarked():
                    self._version = event.version or self._version
                    continue
                case decode.Ended():
                    raise _ended(event)
                case _:
                    assert_never(event)
            self._version = event.version or self._version
            self._status.events += 1
            if change is not None:
                self._around.emit(change)

    def _hold(self) -> None:
        """The stream is good: we are where we were, and troubles are over."""
        if self._holds:
            return
        self._holds = True
        self._backoff.reset()
        self._refusals.reset()
        self._trouble = ""
        self._become(Sync.SYNCED, why="the watch goes on")

    # --- troubles

    def _react(self, error: errors.ApiError) -> float:
        """Say what happened, prepare the next attempt, and return after how many seconds to make it."""
        self._status.errors[error.reason] = self._status.errors.get(error.reason, 0) + 1
        state = Sync.INTERRUPTED
        match error:
            case errors.Forbidden():
                self._version, self._path = "", ""
                state, wait = Sync.FORBIDDEN, self._refusals.next()
            case errors.Absent():
                self._version, self._path = "", ""
                if not self._listed or self._refusals.attempts >= BELIEVE_ABSENT:
                    state = Sync.ABSENT
                wait = self._refusals.next()
            case errors.Retry():
                wait = self._backoff.next(asked=error.after)
                if self._backoff.attempts % GIVE_UP_VERSION == 0:
                    self._version = ""
            case _:
                self._version = ""
                wait = self._backoff.next()
        if state is Sync.INTERRUPTED and not self._listed:
            state = self._status.sync
        if not self._become(state, why=str(error)) and str(error) != self._trouble:
            _LOG.warning("watch_trouble", extra={"resource": self.spec.name, "why": str(error)})
        self._trouble = str(error)
        return wait

    @property
    def _listed(self) -> bool:
        return self._status.sync in (Sync.SYNCED, Sync.INTERRUPTED)

    def _become(self, state: Sync, *, why: str, tell: bool = True) -> bool:
        """Enter a state, if it is another one; say whether it is."""
        before = self._status.sync
        if state is before:
            return False
        self._status.sync = state
        level = logging.WARNING if state in (Sync.FORBIDDEN, Sync.ABSENT) else logging.INFO
        about = {"resource": self.spec.name, "before": before.value, "after": state.value, "why": why}
        _LOG.log(level, "resource_sync", extra=about)
        if tell:
            now = self._around.clock.now()
            self._around.tap.became(self.spec, state, self._version, at=now)
            self._around.emit(SyncChanged(at=now, resource=self.spec.name, state=state))
        return True

    def _note(self, malformed: decode.Malformed) -> None:
        """Count a malformed object, and name it once."""
        self._status.malformed += 1
        if malformed.key not in self._noted and len(self._noted) < MOST_NOTED:
            self._noted.add(malformed.key)
            about = {"resource": self.spec.name, "object": malformed.key, "why": malformed.error}
            _LOG.warning("malformed_object", extra=about)

    # --- small things

    def _selection(self) -> dict[str, str]:
        return {"labelSelector": self.spec.label_selector} if self.spec.label_selector else {}

    def _accept(self, kind: str) -> str:
        return _AS.format(kind=kind) if self.spec.metadata_only else "application/json"

    def _new_backoff(self, *, cap: float) -> Backoff:
        return Backoff(base=self._limits.backoff_base, cap=cap, rng=self._around.rng)


def _ended(event: decode.Ended) -> errors.ApiError:
    """The error that an ERROR event stands for."""
    message = f"the watch ended: {event.code} {event.message[:MESSAGE_CHARACTERS]}"
    if event.code == 410:
        return errors.Gone(message, reason="gone")
    if event.code == 429 or event.code >= 500:
        return errors.Retry(message, reason=probing.reason_of_status(event.code), after=event.after)
    return errors.ApiError(message, reason=probing.reason_of_status(event.code))
