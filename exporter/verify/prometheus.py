"""Requests to the HTTP API of Prometheus, or of what speaks like it: Thanos, Mimir, VictoriaMetrics.

Whoever cannot be talked to at all raises; a query that is refused is told apart, for the others may work.
"""

import asyncio
import re
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import aiohttp
import msgspec

import exporter
from exporter import errors

_MESSAGE: Final = 200
"""Characters of what a server says that are shown."""
_EXCEPTIONS: Final = (aiohttp.ClientError, OSError)


_USERINFO: Final = re.compile(r"//[^/]*@")


class QueryRefused(errors.ExporterError):
    """The server knows us and does not answer this query; it may answer others."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where Prometheus is, and as whom we ask."""

    url: str
    tenant: str = ""
    """Header X-Scope-OrgID, for Mimir and Cortex."""
    token: str = ""
    """Bearer token."""
    ca_file: str = ""
    """PEM file with the authorities to trust; empty: the system's."""
    deadline: float = 30.0
    """Seconds one request may take."""

    @property
    def shown(self) -> str:
        """The address for messages: without the name and password that it may hold."""
        return _USERINFO.sub("//", self.url.rstrip("/"))


class Series(NamedTuple):
    """Labels, and moments (Unix seconds) with values."""

    labels: dict[str, str]
    points: list[tuple[float, float]]

    @property
    def value(self) -> float:
        """The last one."""
        return self.points[-1][1]


class Answer(NamedTuple):
    """Of a query. With warnings it may not be the whole truth."""

    series: list[Series]
    warnings: tuple[str, ...] = ()


class _Result(msgspec.Struct):
    metric: dict[str, str]
    value: tuple[float, str] | None = None
    values: list[tuple[float, str]] | None = None


class _Data(msgspec.Struct, rename="camel"):
    result_type: str
    result: msgspec.Raw


class _Document(msgspec.Struct, rename="camel"):
    status: str
    data: _Data | None = None
    error: str = ""
    warnings: list[str] | None = None


class Prometheus:
    """Use it as an async context manager.

    Every method raises QueryRefused, UsageError where credentials or the address are wrong, and UnreadableError where
    the server cannot be reached or speaks another language.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._root = source.url.rstrip("/")
        self._shown = source.shown
        headers = {"User-Agent": f"kubevirt-upgrade-exporter/{exporter.__version__}", "Accept": "application/json"}
        if source.tenant:
            headers["X-Scope-OrgID"] = source.tenant
        if source.token:
            headers["Authorization"] = f"Bearer {source.token}"
        self._headers = headers
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        context: ssl.SSLContext | bool = True
        if self._source.ca_file:
            try:
                context = ssl.create_default_context(cafile=self._source.ca_file)
            except OSError as error:
                raise errors.UsageError(f"--ca-file {self._source.ca_file}: {error}") from error
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=4),
            headers=self._headers,
            trust_env=True,
            timeout=aiohttp.ClientTimeout(total=None),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.close()

    async def instant(self, query: str, *, at: float) -> Answer:
        """What is true at a moment."""
        return await self._ask("query", {"query": query, "time": f"{at:.3f}"})

    async def over(self, query: str, *, start: float, end: float, step: float) -> Answer:
        """What is true at every step from start to end."""
        moments = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
        return await self._ask("query_range", {"query": query, **moments})

    async def _ask(self, what: str, parameters: Mapping[str, str]) -> Answer:
        status, kind, body = await self._get(f"{self._root}/api/v1/{what}", parameters)
        if status in (401, 403):
            raise errors.UsageError(
                f"{self._shown} answers with HTTP {status}{_said(body)}: credentials are missing, wrong, or not enough"
                " (--token-file, --tenant)"
            )
        if 300 <= status < 400:
            raise errors.UnreadableError(
                f"{self._shown} sends us elsewhere (HTTP {status}): is a login in front of it?"
            )
        try:
            document = msgspec.json.decode(body, type=_Document)
        except ValueError as error:
            raise errors.UnreadableError(
                f"{self._shown} answers with HTTP {status} and {kind or 'something'} that is not the JSON of"
                " Prometheus: is the address right, with its path?"
            ) from error
        if document.status != "success" or document.data is None:
            raise QueryRefused(f"HTTP {status}: {document.error[:_MESSAGE] or 'no reason given'}")
        return Answer(_series(document.data), tuple(document.warnings or ()))

    async def _get(self, url: str, parameters: Mapping[str, str]) -> tuple[int, str, bytes]:
        if self._http is None:
            raise RuntimeError("use Prometheus as an async context manager")
        try:
            async with (
                asyncio.timeout(self._source.deadline),
                self._http.get(url, params=parameters, allow_redirects=False) as answer,
            ):
                return answer.status, answer.content_type, await answer.read()
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise errors.UsageError(f"--prometheus {self._shown}: not a URL such as http://host:9090") from error
        except TimeoutError as error:
            limit = self._source.deadline
            raise errors.UnreadableError(f"{self._shown} has not answered within {limit:g} s") from error
        except _EXCEPTIONS as error:
            text = " ".join(f"{error}".split())[:_MESSAGE] or type(error).__name__
            raise errors.UnreadableError(f"{self._shown} cannot be reached: {text}") from error


def _series(data: _Data) -> list[Series]:
    if data.result_type in ("scalar", "string"):
        at, text = msgspec.json.decode(data.result, type=tuple[float, str])
        return [Series({}, [(at, float(text))])]
    results: list[Any] = msgspec.json.decode(data.result, type=list[_Result])
    return [
        Series(result.metric, [(at, float(text)) for at, text in result.values or filter(None, [result.value])])
        for result in results
    ]


def _said(body: bytes) -> str:
    text = " ".join(body.decode(errors="replace").split())
    return f" ({text[:80]})" if text and not text.startswith("<") else ""
