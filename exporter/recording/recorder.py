"""Turns what reflectors read, and what probes find, into the lines of a recording."""

import logging
from typing import Final

import msgspec

from exporter import errors
from exporter.kube import decode, lines
from exporter.model import resources
from exporter.model.changes import Change, ProbeFinished, Sync
from exporter.model.resources import ResourceSpec, Scope
from exporter.recording import trimming
from exporter.recording.writer import Line, Writer, moment

_PODS: Final = resources.BY_NAME[resources.PODS]

WATCHED: Final[tuple[ResourceSpec, ...]] = (
    *(spec for spec in resources.RESOURCES if spec.name not in (resources.PODS, resources.LAUNCHERS)),
    msgspec.structs.replace(
        _PODS, label_selector="kubevirt.io", scope=Scope.ALL_NAMESPACES, why="guests and components"
    ),
)
"""The table of resources, but its two rows of pods are one: a recording has one stream of each resource."""

_CODES: Final = {Sync.FORBIDDEN: 403, Sync.ABSENT: 404}
_LOG: Final = logging.getLogger(__name__)


class Recorder:
    """A tap of reflectors, and whoever takes the results of probes. All times are Unix seconds."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    # --- from reflectors

    def listing(self, spec: ResourceSpec, *, at: float) -> None:
        """A list begins."""
        self._write(at, "LISTING", spec)

    def page(self, spec: ResourceSpec, body: bytes, *, at: float) -> None:
        """Objects of a list."""
        for raw in decode.raw_items(body):
            self._object(at, "ITEM", spec, raw)

    def listed(self, spec: ResourceSpec, version: str, *, at: float) -> None:
        """A list is complete."""
        self._write(at, "LISTED", spec, version=version)

    def events(self, spec: ResourceSpec, block: lines.Block, *, at: float) -> None:
        """Watch events; one that cannot be read is left out."""
        for line in lines.each(block):
            self._event(spec, line, at)

    def _event(self, spec: ResourceSpec, line: bytes, at: float) -> None:
        event = decode.raw_event(line)
        if event is None:
            _LOG.warning("event_not_recorded", extra={"resource": spec.name})
            return
        kind, raw = event
        if kind == "BOOKMARK":
            seen = decode.DECODERS[spec.decode].event(line)
            version = seen.version if isinstance(seen, decode.Bookmarked) else ""
            self._write(at, kind, spec, version=version)
        else:
            self._object(at, kind, spec, raw)

    def became(self, spec: ResourceSpec, state: Sync, version: str, *, at: float) -> None:
        """Out of sync, in sync again, or refused."""
        match state:
            case Sync.INTERRUPTED:
                self._write(at, "DISCONNECTED", spec)
            case Sync.SYNCED:
                self._write(at, "BOOKMARK", spec, version=version)
            case Sync.FORBIDDEN | Sync.ABSENT:
                status = {"kind": "Status", "status": "Failure", "code": _CODES[state]}
                self._object(at, "ERROR", spec, msgspec.Raw(msgspec.json.encode(status)))
            case Sync.UNKNOWN:
                pass

    # --- from others

    def probed(self, change: Change) -> None:
        """A probe's result; other changes are not for us."""
        if isinstance(change, ProbeFinished):
            self._writer.write(
                Line(
                    at=moment(change.sent),
                    type="PROBE",
                    probe=change.probe,
                    connection=change.connection,
                    status=0 if change.reason else 200,
                    seconds=round(change.seconds, 6),
                    error=change.reason,
                )
            )

    def mark(self, text: str, *, at: float) -> None:
        """A note."""
        self._writer.write(Line(at=moment(at), type="MARK", text=text))

    # --- lines

    def _object(self, at: float, kind: str, spec: ResourceSpec, raw: msgspec.Raw) -> None:
        try:
            thing = trimming.trimmed(spec.name, raw)
        except (ValueError, RecursionError, errors.UnreadableError) as error:
            _LOG.warning("object_not_recorded", extra={"resource": spec.name, "why": str(error)})
            return
        self._writer.write(Line(at=moment(at), type=kind, resource=spec.recorded_as, object=thing))

    def _write(self, at: float, kind: str, spec: ResourceSpec, *, version: str = "") -> None:
        self._writer.write(Line(at=moment(at), type=kind, resource=spec.recorded_as, resourceVersion=version))
