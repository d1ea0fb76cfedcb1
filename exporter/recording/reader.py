"""A recording as the changes a live watcher would have learnt, in the order and at the times of learning.

It does with stores what the reflectors do: lists become one replacement, events become changes, broken streams become
changes of sync. It adds nothing that is not in the file, and no time beyond its end.
"""

import collections
import heapq
import itertools
import pathlib
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import NamedTuple, Self

import msgspec

from exporter.kube import decode
from exporter.model import changes, resources
from exporter.model.changes import Change, Sync
from exporter.model.objects import Object
from exporter.model.resources import ResourceSpec, Scope
from exporter.model.store import Store
from exporter.recording import outcome, selector
from exporter.recording.lines import Line, Lines

_REFUSALS = {401: Sync.FORBIDDEN, 403: Sync.FORBIDDEN, 404: Sync.ABSENT}
"""What it means when the API server answers a list or a watch with such a code."""

NOTES = 100
"""Malformed objects named; the rest is counted."""


class Mark(NamedTuple):
    """What the operator of the recorded cluster wrote down."""

    at: float
    text: str


class Recording:
    """One recording file, read once. Use it as a context manager.

    `namespace` is where KubeVirt is installed; left empty, it is that of the first KubeVirt CR in the file (the lines
    before it wait in memory). Raises UnreadableError, from here or while reading, with file and line.
    """

    def __init__(self, path: pathlib.Path, *, namespace: str = "") -> None:
        self._lines = Lines(path)
        self._namespace = namespace
        self.started = self._lines.header.started.timestamp()
        ended = self._lines.header.ended
        self._limit = float("inf") if ended is None else max(ended.timestamp(), self.started)
        self._now = self.started
        self._number = 1
        self._probes: list[tuple[float, int, Line]] = []
        self._sequence = itertools.count()
        self._feeds = _feeds()
        self.marks: list[Mark] = []
        self.malformed: collections.Counter[str] = collections.Counter()
        """Objects that could not be decoded, by our name of the resource; each time one is seen."""
        self.notes: list[str] = []
        """What a person should know of the file: where it was cut short, which objects are malformed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lines.close()

    @property
    def ended(self) -> float:
        """The end the header gives; else the time of the last line read so far."""
        return self._now if self._limit == float("inf") else self._limit

    def changes(self) -> Iterator[Change]:
        """All changes; `at` never decreases and never passes the end."""
        lines = iter(self._lines)
        if self._namespace:
            read_already: list[tuple[int, Line]] = []
        else:
            read_already = self._read_until_namespace(lines)
        for number, line in itertools.chain(read_already, lines):
            self._number = number
            at = line.at.timestamp()
            yield from self._probes_learnt_by(at)
            self._advance(at)
            yield from self._interpret(line)
        yield from self._probes_learnt_by(float("inf"))
        if self._lines.truncated:
            self.notes.append(f"{self._lines.path}: {self._lines.truncated}")

    def _read_until_namespace(self, lines: Iterable[tuple[int, Line]]) -> list[tuple[int, Line]]:
        decoder = decode.DECODERS[resources.BY_NAME[resources.KUBEVIRTS].decode]
        waiting: list[tuple[int, Line]] = []
        for number, line in lines:
            waiting.append((number, line))
            if line.resource == resources.KUBEVIRTS and line.type in ("ITEM", "ADDED", "MODIFIED"):
                kubevirt = decoder.item(line.object)
                if isinstance(kubevirt, Object):
                    self._namespace = kubevirt.namespace
                    break
        return waiting

    def _advance(self, at: float) -> float:
        self._now = max(self._now, min(at, self._limit))
        return self._now

    def _interpret(self, line: Line) -> Iterator[Change]:
        match line.type:
            case "PROBE":
                learnt = line.at.timestamp() + line.seconds
                heapq.heappush(self._probes, (learnt, next(self._sequence), line))
            case "MARK":
                self.marks.append(Mark(self._now, line.text))
            case _:
                feed = self._feeds.get(line.resource)
                if feed is not None:
                    yield from self._follow(feed, line)

    def _probes_learnt_by(self, at: float) -> Iterator[Change]:
        while self._probes and self._probes[0][0] <= at:
            learnt, _, line = heapq.heappop(self._probes)
            yield changes.ProbeFinished(
                at=self._advance(learnt),
                probe=line.probe,
                connection=line.connection,
                sent=line.at.timestamp(),
                seconds=line.seconds,
                reason=outcome.reason(line.status, line.error or ""),
            )

    def _follow(self, feed: "_Feed", line: Line) -> Iterator[Change]:
        match line.type:
            case "LISTING":
                feed.begin_list()
            case "ITEM":
                for follower in self._interested(feed, line):
                    self._take(follower, line)
            case "LISTED":
                yield from feed.end_list(at=self._now)
            case "ADDED" | "MODIFIED" | "DELETED":
                yield from feed.resumed(at=self._now)
                yield from self._event(feed, line)
            case "BOOKMARK":
                yield from feed.resumed(at=self._now)
            case "ERROR" if (refusal := _REFUSALS.get(decode.status(bytes(line.object)).code or 0)) is not None:
                yield from feed.refused(refusal, at=self._now)
            case "DISCONNECTED" | "ERROR":
                yield from feed.interrupted(at=self._now)
            case _:
                pass  # a type of a later format

    def _event(self, feed: "_Feed", line: Line) -> Iterator[Change]:
        interested = self._interested(feed, line)
        for follower in feed.followers:
            thing = follower.decoder.item(line.object)
            change: Change | None
            if line.type == "DELETED" or follower not in interested:
                change = follower.store.delete(thing.key, at=self._now)
            elif isinstance(thing, decode.Malformed):
                self._note(follower, thing)
                continue
            else:
                change = follower.store.upsert(thing, at=self._now)
            if change is not None:
                yield change

    def _take(self, follower: "_Follower", line: Line) -> None:
        thing = follower.decoder.item(line.object)
        if isinstance(thing, decode.Malformed):
            self._note(follower, thing)
            follower.unread.add(thing.key)
        else:
            follower.listed.append(thing)

    def _interested(self, feed: "_Feed", line: Line) -> list["_Follower"]:
        """Those whose selector and namespace the object matches."""
        if feed.takes_all:
            return feed.followers
        try:
            metadata = _LABELLED.decode(line.object).metadata
        except (ValueError, RecursionError):
            return feed.followers  # each will find it malformed
        labels, namespace = metadata.labels or {}, metadata.namespace or ""
        return [
            follower
            for follower in feed.followers
            if all(holds(labels) for holds in follower.requirements)
            and (follower.spec.scope is not Scope.INSTALL_NAMESPACE or namespace == (self._namespace or namespace))
        ]

    def _note(self, follower: "_Follower", malformed: decode.Malformed) -> None:
        self.malformed[follower.spec.name] += 1
        if malformed.key not in follower.noted and len(self.notes) < NOTES:
            follower.noted.add(malformed.key)
            what = f"{follower.spec.name} {malformed.key or 'without a name'}"
            self.notes.append(f"{self._lines.path}: line {self._number}: malformed: {what}: {malformed.error}")


class _Follower:
    """One row of the resource table that is fed from a recorded resource."""

    def __init__(self, spec: ResourceSpec) -> None:
        self.spec = spec
        self.decoder = decode.DECODERS[spec.decode]
        self.requirements = selector.parse(spec.label_selector)
        self.store = Store(spec.name)
        self.listed: list[Object] = []
        self.unread: set[str] = set()
        self.noted: set[str] = set()


class _Feed:
    """One recorded resource: where its list and its stream stand, and who follows it."""

    def __init__(self, specs: Iterable[ResourceSpec]) -> None:
        self.followers = [_Follower(spec) for spec in specs]
        self.takes_all = all(
            not follower.requirements and follower.spec.scope is not Scope.INSTALL_NAMESPACE
            for follower in self.followers
        )
        self._listing = False
        self._synced: bool | None = None
        """None before the first list."""

    def begin_list(self) -> None:
        """LISTING: whatever was read of an unfinished list is void."""
        self._listing = True
        for follower in self.followers:
            follower.listed, follower.unread = [], set()

    def end_list(self, *, at: float) -> Iterator[Change]:
        """LISTED. Without a beginning it says nothing about what is gone, and is ignored."""
        if not self._listing:
            return
        self._listing, self._synced = False, True
        for follower in self.followers:
            listed, unread = follower.listed, follower.unread
            keep = follower.store.keys() if "" in unread else frozenset(unread)
            follower.listed, follower.unread = [], set()
            yield follower.store.replace(listed, at=at, keep=keep)

    def interrupted(self, *, at: float) -> Iterator[Change]:
        """The stream broke; said once until it resumes, and only of what was listed before."""
        if self._synced:
            self._synced = False
            yield from self._sync(Sync.INTERRUPTED, at=at)

    def refused(self, state: Sync, *, at: float) -> Iterator[Change]:
        """We may not read the resource, or it is not there; a new list says otherwise."""
        self._synced = None
        yield from self._sync(state, at=at)

    def resumed(self, *, at: float) -> Iterator[Change]:
        """The stream goes on from where it broke."""
        if self._synced is False:
            self._synced = True
            yield from self._sync(Sync.SYNCED, at=at)

    def _sync(self, state: Sync, *, at: float) -> Iterator[Change]:
        for follower in self.followers:
            yield changes.SyncChanged(at=at, resource=follower.spec.name, state=state)


class _LabelledMetadata(msgspec.Struct, gc=False):
    namespace: str | None = None
    labels: dict[str, str] | None = None


class _Labelled(msgspec.Struct, gc=False):
    metadata: _LabelledMetadata


_LABELLED = msgspec.json.Decoder(_Labelled)


def _feeds() -> dict[str, _Feed]:
    """By the names recordings use."""
    specs = collections.defaultdict[str, list[ResourceSpec]](list)
    for spec in resources.RESOURCES:
        specs[spec.recorded_as].append(spec)
    return {name: _Feed(group) for name, group in specs.items()}
