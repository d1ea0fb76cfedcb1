"""The manifest corpus: would what users of older releases wrote still be taken.

Every manifest of `corpus/` is created as a dry run, with strict field validation, every five minutes and whenever
virt-api's version changes. Each file is valid for the release that its name ends in.
"""

import asyncio
import enum
import importlib.resources
import logging
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import yaml

from exporter import errors
from exporter.kube import decode
from exporter.kube.api import Api, Response
from exporter.kube.clock import Clock
from exporter.model import probing
from exporter.probes import result, writing
from exporter.probes.asking import Ask
from exporter.probes.history import Entry, History
from exporter.probes.writing import Json

INTERVAL: Final = 300.0
"""Seconds between two runs."""

PROBE: Final = "manifest"

_FILE: Final = re.compile(r"(?P<name>[a-z-]+)-(?P<release>\d+\.\d+)\.yaml")
_WARNING: Final = re.compile(r'^\d{3} \S+ "(?P<text>.*)"$')
_QUOTED_PAIR: Final = re.compile(r"\\(.)")
_UNKNOWN_FIELDS: Final = ("unknown field", "strict decoding error")

_LOG: Final = logging.getLogger(__name__)


class Verdict(enum.Enum):
    """What the cluster makes of a manifest."""

    ACCEPTED = "accepted"
    WARNED = "warned"
    """Accepted with warnings, such as of a deprecated version."""
    PRUNED = "pruned"
    """It has fields that the cluster does not know, and drops or refuses."""
    REFUSED_SCHEMA = "refused_schema"
    REFUSED_WEBHOOK = "refused_webhook"
    """Also where the webhook cannot be reached."""
    REFUSED_OTHER = "refused_other"
    NOT_FOUND = "not_found"
    """Its API version is not served, or the namespace does not exist."""
    NOT_PERMITTED = "not_permitted"
    NO_ANSWER = "no_answer"
    """None, or one of a server in trouble, which says nothing about the manifest."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the corpus."""

    name: str
    release: str
    content: Json

    @property
    def title(self) -> str:
        """The file's name."""
        return f"{self.name}-{self.release}"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on a manifest, and why."""

    manifest: Manifest
    verdict: Verdict
    detail: str = ""


def corpus() -> tuple[Manifest, ...]:
    """All manifests, in the order of their file names.

    Raises ValueError where a file is no manifest: a mistake of ours, found by a test.
    """
    folder = importlib.resources.files("exporter.probes").joinpath("corpus")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)
    return tuple(_read(file.name, file.read_text(encoding="utf-8")) for file in files)


def _read(name: str, text: str) -> Manifest:
    match = _FILE.fullmatch(name)
    if match is None:
        raise ValueError(f"{name}: not NAME-RELEASE.yaml")
    content: dict[str, Any] = yaml.safe_load(text)
    # The name is the user's; ours must not meet an object that exists.
    metadata = {key: value for key, value in content["metadata"].items() if key not in ("name", "namespace")}
    content["metadata"] = metadata | {"generateName": writing.NAME}
    return Manifest(name=match["name"], release=match["release"], content=content)


class Corpus:
    """Runs the corpus, and keeps the last findings."""

    def __init__(self, api: Api, *, namespace: str, clock: Clock, history: History) -> None:
        self._api = api
        self._namespace = namespace
        self._clock = clock
        self._history = history
        self._manifests = corpus()
        self._again = asyncio.Event()
        self.findings: dict[str, Finding] = {}
        """By title, as of the last run."""
        self.last_run: float | None = None
        """When the last run ended, in Unix seconds."""

    def hurry(self) -> None:
        """Run again now."""
        self._again.set()

    async def run(self) -> None:
        """Run for ever. Ends only by cancellation."""
        while True:
            self._again.clear()
            for manifest in self._manifests:
                self._take(await self._try(manifest))
            self.last_run = self._clock.now()
            try:
                async with asyncio.timeout(INTERVAL):
                    await self._again.wait()
            except TimeoutError:
                continue

    async def _try(self, manifest: Manifest) -> Finding:
        ask = Ask(self._api, probe=PROBE, connection=probing.REUSED)
        started = self._clock.now()
        status = 0
        try:
            response = await writing.create(ask, manifest.content, namespace=self._namespace)
        except errors.ApiError as error:
            finding = Finding(manifest=manifest, verdict=Verdict.NO_ANSWER, detail=result.shortened(str(error)))
        else:
            status = response.status
            finding = judge(manifest, response)
        good = finding.verdict in (Verdict.ACCEPTED, Verdict.WARNED)
        self._history.add(
            Entry(
                probe=f"{PROBE} {manifest.title}",
                connection=probing.REUSED,
                sent=started,
                seconds=self._clock.now() - started,
                reason="" if good else finding.verdict.value,
                status=status,
                detail=finding.detail,
                audit_id=ask.audit_id,
            )
        )
        return finding

    def _take(self, finding: Finding) -> None:
        title = finding.manifest.title
        before = self.findings.get(title)
        self.findings[title] = finding
        if before is not None and before.verdict is not finding.verdict:
            _LOG.info(
                "manifest_verdict",
                extra={
                    "manifest": title,
                    "before": before.verdict.value,
                    "after": finding.verdict.value,
                    "why": finding.detail,
                },
            )


def judge(manifest: Manifest, response: Response) -> Finding:
    """The verdict on a manifest, from the answer to its creation."""
    refused = result.refused(response)
    if refused is None:
        lost = writing.dropped(manifest.content, response)
        if lost:
            return Finding(manifest=manifest, verdict=Verdict.PRUNED, detail=result.shortened(", ".join(lost)))
        warnings = result.shortened("; ".join(_warnings(response)))
        return Finding(manifest=manifest, verdict=Verdict.WARNED if warnings else Verdict.ACCEPTED, detail=warnings)
    return Finding(manifest=manifest, verdict=_refusal(refused, response), detail=refused.detail)


def _refusal(refused: result.ProbeResult, response: Response) -> Verdict:
    if refused.reason == "webhook":
        return Verdict.REFUSED_WEBHOOK
    said = decode.status(response.body).message or ""
    if any(words in said for words in _UNKNOWN_FIELDS):
        return Verdict.PRUNED
    match refused.status:
        case 401 | 403:
            return Verdict.NOT_PERMITTED
        case 404:
            return Verdict.NOT_FOUND
        case 400 | 422:
            return Verdict.REFUSED_SCHEMA
        case code if code == 429 or code >= 500:
            return Verdict.NO_ANSWER
        case _:
            return Verdict.REFUSED_OTHER


def _warnings(response: Response) -> Iterator[str]:
    """The texts of the Warning headers (RFC 9110)."""
    for name, value in response.headers.items():
        if name.lower() == "warning":
            match = _WARNING.match(value)
            yield _QUOTED_PAIR.sub(r"\1", match["text"]) if match else value
