"""Requests to the Kubernetes API: one session, every wait with a deadline, errors named after what to do about them.

`get` and `watch` raise the errors of `exporter.errors`; `request` gives any answer as it is, for those who judge it
themselves. What the bytes mean is for others.
"""

import asyncio
import contextlib
import logging
import socket
import urllib.parse
import urllib.request
import weakref
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Final, Self

import aiohttp
import msgspec
from kubernetes.aio.client import rest

import exporter
from exporter import errors
from exporter.kube import decode, failures
from exporter.kube.access import Access
from exporter.model import probing

USER_AGENT: Final = f"kubevirt-upgrade-exporter/{exporter.__version__}"
REFUSAL_BYTES: Final = 16_384
"""Of the body of a refusal: more is not read."""
MESSAGE_CHARACTERS: Final = 200
"""Of what the server says, in our messages."""

CONNECTIONS: Final = 100
"""At the same time, for each kind of connection: more requests than that wait."""

FAREWELL_STEP: Final = 0.002
FAREWELL_STEPS: Final = 250
"""Half a second: TLS connections end a moment after the library has forgotten them."""

Parameters = Mapping[str, str]

_LOG: Final = logging.getLogger(__name__)


class Response(msgspec.Struct, frozen=True):
    """An answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    """Names in any case."""
    body: bytes


class Stream:
    """The body of a watch, as it comes."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content

    async def read(self) -> bytes:
        """The next bytes, empty at the end. Raises Retry where the connection breaks. May be cancelled without loss."""
        try:
            return await self._content.readany()
        except failures.EXCEPTIONS as error:
            raise _broken(error) from error


class _Rest(rest.RESTClientObject):
    """The library's TLS and proxy settings; the sessions are for our own requests."""

    def session(
        self, *, reuse: bool, connections: int, sockets: weakref.WeakSet[socket.socket]
    ) -> aiohttp.ClientSession:
        """A session for these credentials; without reuse, each request opens a connection of its own.

        It opens at most so many at a time, 0 for as many as it needs; they are added to `sockets`.
        """

        def factory(address: aiohttp.AddrInfoType) -> socket.socket:
            opened = socket.socket(*address[:3])
            sockets.add(opened)
            return opened

        connector = aiohttp.TCPConnector(
            ssl=self.ssl_context, limit=connections, force_close=not reuse, socket_factory=factory
        )
        return aiohttp.ClientSession(
            connector=connector,
            # Compressing a list is work for the API server, and it is near.
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=2**20,
        )


class Api:
    """The API server. Use it as an async context manager; `deadline` is for each request, in seconds.

    Connections are kept and shared; a request waits where there are as many as `connections`, unless that is 0.
    Certificates that have been replaced on disk are used for new connections.
    """

    def __init__(self, access: Access, *, deadline: float, connections: int = CONNECTIONS) -> None:
        self.access = access
        self.deadline = deadline
        self._connections = connections
        self._rest = _Rest(access.configuration)
        self._proxy = access.configuration.proxy or _environments_proxy(access.server)
        self._fingerprint = access.fingerprint
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for session in self._sessions.values():
            await session.close()
        for _ in range(FAREWELL_STEPS):
            if all(each.fileno() < 0 for each in self._sockets):
                break
            await asyncio.sleep(FAREWELL_STEP)

    async def get(self, path: str, parameters: Parameters | None = None, *, accept: str = "application/json") -> bytes:
        """The body of an answer of 200. Raises ApiError, as a rule one of its kinds."""
        response = await self.request("GET", path, parameters=parameters, headers={"Accept": accept})
        _raise_for_status(response)
        return response.body

    async def write(
        self,
        method: str,
        path: str,
        body: object,
        *,
        parameters: Parameters | None = None,
        kind: str = "application/json",
        accept: str = "application/json",
    ) -> bytes:
        """The body of an answer of 2xx to a JSON body of that kind. Raises ApiError, as a rule one of its kinds."""
        headers = {"Accept": accept, "Content-Type": kind}
        response = await self.request(
            method, path, parameters=parameters, headers=headers, body=msgspec.json.encode(body)
        )
        _raise_for_status(response)
        return response.body

    @contextlib.asynccontextmanager
    async def watch(
        self, path: str, parameters: Parameters, *, accept: str = "application/json"
    ) -> AsyncIterator[Stream]:
        """A stream that has begun, closed at the end. There is no deadline for reading it: that is the caller's.

        Raises ApiError, as a rule one of its kinds.
        """
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self.deadline):
                    answer = await self._send("GET", path, parameters=parameters, headers={"Accept": accept})
                    stack.callback(_abandon, answer)
                    if answer.status != 200:
                        _raise_for_status(await _read(answer, limit=REFUSAL_BYTES))
            except failures.EXCEPTIONS as error:
                raise _broken(error) from error
            yield Stream(answer.content)

    async def request(
        self,
        method: str,
        path: str,
        *,
        parameters: Parameters | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        reuse: bool = True,
        deadline: float | None = None,
    ) -> Response:
        """Any answer, whatever its status. Raises Retry, chained to the cause, where there is none.

        Without `reuse` the connection is new and serves this request only.
        """
        try:
            async with asyncio.timeout(self.deadline if deadline is None else deadline):
                answer = await self._send(
                    method, path, parameters=parameters, headers=headers or {}, body=body, reuse=reuse
                )
                async with answer:
                    return await _read(answer, limit=REFUSAL_BYTES if answer.status >= 400 else None)
        except failures.EXCEPTIONS as error:
            raise _broken(error) from error

    async def _send(
        self,
        method: str,
        path: str,
        *,
        parameters: Parameters | None,
        headers: Mapping[str, str],
        body: bytes | None = None,
        reuse: bool = True,
    ) -> aiohttp.ClientResponse:
        """Send with credentials that are not old; where they are refused, once more with newer ones, if there are."""
        await self.access.renew()
        used = self.access.fingerprint
        answer = await self._send_once(method, path, parameters, headers, body, reuse=reuse)
        if answer.status == 401:
            await self.access.renew(refused=True)
            if self.access.fingerprint != used:
                answer.close()
                answer = await self._send_once(method, path, parameters, headers, body, reuse=reuse)
        return answer

    async def _send_once(
        self,
        method: str,
        path: str,
        parameters: Parameters | None,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        reuse: bool,
    ) -> aiohttp.ClientResponse:
        self._take_new_certificates()
        configuration, token = self.access.configuration, self.access.authorization
        return await self._session(reuse=reuse).request(
            method,
            self.access.server + path,
            params=parameters,
            data=body,
            headers=headers if token is None else {**headers, "Authorization": token},
            allow_redirects=False,
            timeout=_CALLERS_DEADLINE,
            proxy=self._proxy,
            proxy_headers=configuration.proxy_headers,
            server_hostname=configuration.tls_server_name or None,
        )

    def _session(self, *, reuse: bool) -> aiohttp.ClientSession:
        if reuse not in self._sessions:
            self._sessions[reuse] = self._rest.session(
                reuse=reuse, connections=self._connections, sockets=self._sockets
            )
        return self._sessions[reuse]

    def _take_new_certificates(self) -> None:
        """Give certificates that were replaced on disk to the connections that are yet to come."""
        if self._fingerprint == self.access.fingerprint:
            return
        self._fingerprint = self.access.fingerprint
        configuration, context = self.access.configuration, self._rest.ssl_context
        try:
            if configuration.ssl_ca_cert:
                context.load_verify_locations(cafile=configuration.ssl_ca_cert)
            if configuration.cert_file:
                context.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
        except OSError as error:
            _LOG.warning("certificates_not_renewed", extra={"why": str(error)})


_CALLERS_DEADLINE: Final = aiohttp.ClientTimeout(total=None)


def _environments_proxy(server: str) -> str | None:
    """What HTTPS_PROXY and NO_PROXY say, asked once: the client library would ask for each request, in a thread."""
    address = urllib.parse.urlsplit(server)
    if urllib.request.proxy_bypass(address.hostname or ""):
        return None
    return urllib.request.getproxies().get(address.scheme)


def _abandon(answer: aiohttp.ClientResponse) -> None:
    """Leave an answer in its middle. A polite end of TLS would wait for the server, which has more to say."""
    connection = answer.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
    answer.close()


async def _read(answer: aiohttp.ClientResponse, *, limit: int | None) -> Response:
    if limit is None:
        return Response(answer.status, answer.headers, await answer.read())
    body = b""
    while len(body) < limit and (piece := await answer.content.readany()):
        body += piece
    return Response(answer.status, answer.headers, body[:limit])


def _raise_for_status(response: Response) -> None:
    """Raises the error that names what to do, for any status but 2xx."""
    if 200 <= response.status < 300:
        return
    status = decode.status(response.body)
    said = status.message or response.body.decode(errors="replace")
    message = f"HTTP {response.status}: {' '.join(said.split())[:MESSAGE_CHARACTERS]}"
    match response.status:
        case 401 | 403:
            raise errors.Forbidden(message, reason="forbidden")
        case 404:
            raise errors.Absent(message, reason="absent")
        case 409:
            raise errors.Conflict(message, reason="conflict")
        case 410:
            raise errors.Gone(message, reason="gone")
        case code if code == 429 or code >= 500:
            after = _retry_after(response.headers.get("Retry-After", ""))
            if after is None and status.details is not None:
                after = status.details.retry_after_seconds
            raise errors.Retry(message, reason=probing.reason_of_status(code), after=after)
        case code:
            raise errors.ApiError(message, reason=probing.reason_of_status(code))


def _retry_after(text: str) -> float | None:
    """The header in seconds; the API server does not use the other form, a date."""
    return float(text) if text.isascii() and text.isdigit() else None


def _broken(error: BaseException) -> errors.Retry:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return errors.Retry(text[:MESSAGE_CHARACTERS], reason=failures.reason(error))
