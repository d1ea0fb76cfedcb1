"""Who writes: the holder of our Lease, as client-go's leader election does it.

A candidate takes the Lease over when it has not seen it change for the Lease's duration, by its own monotonic clock, so
clocks need not agree. A holder stops counting on it after two thirds of the duration without a renewal, so that there
are never two who do. Whoever writes is also fenced by versions (`store`): election saves work, it is not what keeps the
reports whole.

The election of `kubernetes.aio` is not used: it ends with an exception where the API server refuses a connection, waits
for a hanging request without a deadline while it believes itself the leader, and stamps local time as UTC.
"""

import asyncio
import datetime as dt
from collections.abc import Callable
from typing import Any, Final

import msgspec

from exporter import errors
from exporter.kube.api import Api
from exporter.kube.kinds.metadata import Time

NAME: Final = "kubevirt-upgrade-exporter"
TRIES: Final = 3
"""Attempts to renew within the duration of the Lease."""


class _Spec(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: Time | None = None
    renew_time: Time | None = None
    lease_transitions: int | None = None


class _Metadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    resource_version: str


class _Lease(msgspec.Struct, frozen=True, kw_only=True):
    metadata: _Metadata
    spec: _Spec | None = None


class Election:
    """One candidate. `now` gives Unix seconds that never go back; `duration` is the Lease's, in seconds."""

    def __init__(self, api: Api, *, namespace: str, identity: str, duration: float, now: Callable[[], float]) -> None:
        self._api = api
        self._namespace = namespace
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._identity = identity
        self._duration = duration
        self._now = now
        self._seen: tuple[str, float] = "", 0.0
        """The Lease's version, and when we first saw it."""
        self._until = 0.0

    @property
    def interval(self) -> float:
        """Seconds between two attempts."""
        return self._duration / TRIES

    @property
    def holds(self) -> bool:
        """We may write."""
        return self._now() < self._until

    async def attempt(self) -> None:
        """Renew the Lease, or take it if nobody does. Raises ApiError; what we hold, we hold until it runs out."""
        try:
            async with asyncio.timeout(self.interval):
                await self._attempt(began=self._now())
        except errors.Conflict:
            pass  # somebody else was faster: the next attempt will see who
        except TimeoutError as error:
            raise errors.Retry(f"the Lease took longer than {self.interval:g} s", reason="timeout") from error

    async def _attempt(self, *, began: float) -> None:
        try:
            body = await self._api.get(f"{self._path}/{NAME}")
        except errors.Absent:
            self._held(await self._create(), since=began)
            return
        lease = _decoded(body)
        spec = lease.spec or _Spec()
        if spec.holder_identity != self._identity and not self._free(lease, spec):
            self._until = 0.0
            return
        taken = await self._api.write("PUT", f"{self._path}/{NAME}", self._renewed(body, spec, began))
        self._held(taken, since=began)

    async def release(self) -> None:
        """Let another take it at once. Raises ApiError."""
        if not self.holds:
            return
        self._until = 0.0
        body = await self._api.get(f"{self._path}/{NAME}")
        if (_decoded(body).spec or _Spec()).holder_identity == self._identity:
            await self._api.write("PUT", f"{self._path}/{NAME}", _with_spec(body, {"holderIdentity": ""}))

    def _free(self, lease: _Lease, spec: _Spec) -> bool:
        """Nobody holds it, or whoever did has not renewed it for its duration."""
        if not spec.holder_identity:
            return True
        version, since = self._seen
        if version != lease.metadata.resource_version:
            self._seen = lease.metadata.resource_version, self._now()
            return False
        return self._now() - since >= (spec.lease_duration_seconds or self._duration)

    def _held(self, body: bytes, *, since: float) -> None:
        self._seen = _decoded(body).metadata.resource_version, self._now()
        self._until = since + self._duration * (TRIES - 1) / TRIES

    async def _create(self) -> bytes:
        moment = _moment(self._now())
        return await self._api.write(
            "POST",
            self._path,
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": NAME, "namespace": self._namespace},
                "spec": self._holding() | {"acquireTime": moment, "renewTime": moment, "leaseTransitions": 0},
            },
        )

    def _renewed(self, body: bytes, spec: _Spec, at: float) -> dict[str, Any]:
        changes = self._holding() | {"renewTime": _moment(at)}
        if spec.holder_identity != self._identity:
            changes |= {"acquireTime": _moment(at), "leaseTransitions": (spec.lease_transitions or 0) + 1}
        return _with_spec(body, changes)

    def _holding(self) -> dict[str, Any]:
        return {"holderIdentity": self._identity, "leaseDurationSeconds": max(1, round(self._duration))}


def _decoded(body: bytes) -> _Lease:
    try:
        return msgspec.json.decode(body, type=_Lease)
    except ValueError as error:
        raise errors.ApiError(f"the Lease cannot be read: {error}", reason="unreadable") from error


def _with_spec(body: bytes, changes: dict[str, Any]) -> dict[str, Any]:
    """The same object, in the version we have read, with these fields of its spec."""
    lease: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
    return lease | {"spec": (lease.get("spec") or {}) | changes}


def _moment(at: float) -> str:
    return dt.datetime.fromtimestamp(at, tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
