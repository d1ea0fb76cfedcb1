"""Who may read: `--auth=kubernetes`. The API server reviews a caller's bearer token and their right to get the path.

Every path but the health probes is covered, also those that do not exist. What cannot be decided is refused (503): with
the API server away, those who were let in before are let in until their decision is forgotten, and nobody else.

Tokens are neither kept nor logged; decisions are remembered by a hash.
"""

import asyncio
import collections
import enum
import hashlib
import logging
import time
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from aiohttp import web

from exporter import errors
from exporter.kube.reviews import User

OPEN: Final = frozenset({"/livez", "/readyz"})
"""The kubelet has no token."""
ALLOWED_SECONDS: Final = 120.0
"""A decision to let in holds this long: the API server may restart meanwhile, and a right that was withdrawn ends."""
REFUSED_SECONDS: Final = 10.0
"""A refusal holds this long: who is granted the right waits no longer than for a scrape."""
DECISIONS: Final = 1000
"""Remembered at most; who asks for many paths with many tokens forgets their own."""
AT_ONCE: Final = 4
"""Reviews under way; other callers wait. Strangers must not make us a burden to the API server."""

_LOG: Final = logging.getLogger(__name__)


class Reviews(Protocol):
    """Asks the API server; `exporter.kube.reviews.Reviewer` does. Both raise ApiError where it cannot be told."""

    async def user(self, token: str) -> User | None:
        """Whose token it is; None: nobody's."""

    async def may_get(self, user: User, path: str) -> bool:
        """May they get this path."""


class Verdict(enum.Enum):
    """What a caller is told."""

    ALLOWED = enum.auto()
    UNKNOWN = enum.auto()
    """Not a token of this cluster."""
    REFUSED = enum.auto()
    """Known, and without the right."""


class _Decision(NamedTuple):
    verdict: Verdict
    until: float


class Gate:
    """Decides on each request; call it before the request is handled."""

    def __init__(self, reviews: Reviews, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._reviews = reviews
        self._monotonic = monotonic
        self._decisions: collections.OrderedDict[tuple[bytes, str], _Decision] = collections.OrderedDict()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._trouble = ""

    async def __call__(self, request: web.Request) -> web.Response | None:
        """None: let in; else the answer to give."""
        if request.path in OPEN:
            return None
        token = _token(request.headers.get("Authorization", ""))
        if not token:
            return _unauthorized("a bearer token is needed")
        try:
            verdict = await self._decide(token, request.path)
        except errors.ApiError as error:
            self._note(str(error))
            return web.Response(status=503, text="cannot tell who you are: the API server does not say\n")
        match verdict:
            case Verdict.ALLOWED:
                return None
            case Verdict.UNKNOWN:
                return _unauthorized("this token is not known to the cluster")
            case Verdict.REFUSED:
                return web.Response(status=403, text=f"you may not get {request.path}\n")

    async def _decide(self, token: str, path: str) -> Verdict:
        key = (hashlib.sha256(token.encode()).digest(), path)
        if (remembered := self._remembered(key)) is not None:
            return remembered
        async with self._turns:
            if (remembered := self._remembered(key)) is not None:
                return remembered  # somebody else has just asked the same
            verdict = await self._review(token, path)
        self._note("")
        lasts = ALLOWED_SECONDS if verdict is Verdict.ALLOWED else REFUSED_SECONDS
        self._decisions[key] = _Decision(verdict, self._monotonic() + lasts)
        self._decisions.move_to_end(key)
        while len(self._decisions) > DECISIONS:
            self._decisions.popitem(last=False)
        return verdict

    def _remembered(self, key: tuple[bytes, str]) -> Verdict | None:
        decision = self._decisions.get(key)
        return decision.verdict if decision is not None and self._monotonic() < decision.until else None

    async def _review(self, token: str, path: str) -> Verdict:
        user = await self._reviews.user(token)
        if user is None:
            return Verdict.UNKNOWN
        if await self._reviews.may_get(user, path):
            return Verdict.ALLOWED
        _LOG.warning("reader_refused", extra={"user": user.username, "path": path})
        return Verdict.REFUSED

    def _note(self, trouble: str) -> None:
        """Log why nothing can be decided when it begins and when it is another reason."""
        if trouble and trouble != self._trouble:
            _LOG.error("readers_not_reviewed", extra={"why": trouble})
        self._trouble = trouble


def _token(header: str) -> str:
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _unauthorized(why: str) -> web.Response:
    return web.Response(status=401, text=f"{why}\n", headers={"WWW-Authenticate": "Bearer"})
