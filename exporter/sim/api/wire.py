"""What faults do to connections and bytes: resets, half answers, slow ones, objects that do not decode."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

import msgspec
from aiohttp import web

from exporter.sim.faults import Active, Harm
from exporter.sim.refusals import JSON

_POLL_SECONDS = 0.05  # how soon a hanging request notices that its fault is over


def quoted(text: str) -> str:
    """As a string in a header."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def reset(request: web.BaseRequest) -> None:
    """End the connection with a TCP reset."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def cut(request: web.BaseRequest) -> None:
    """End the connection without a proper end of the answer."""
    if request.transport is not None:
        request.transport.close()


async def hang(request: web.BaseRequest, ends: float, fault: Active) -> None:
    """Send nothing until the client goes, the time is up, or somebody removes the fault."""
    loop = asyncio.get_running_loop()
    while loop.time() < ends and not fault.removed and request.transport is not None:  # noqa: ASYNC110 - nobody says that a client went
        await asyncio.sleep(_POLL_SECONDS)


async def send_line(request: web.BaseRequest, response: web.StreamResponse, line: bytes, fault: Active | None) -> bool:
    """Send one line of a watch, as `fault` has it; true where that was the end of the stream."""
    harm = None if fault is None else fault.fault.harm
    if fault is None or harm is None:
        await response.write(line)
        return False
    if harm is Harm.CUT:
        await response.write(line[: len(line) // 2])
        cut(request)
        return True
    if harm is Harm.SLOW:
        await asyncio.sleep(fault.fault.delay)
        await _throttled(response, line, fault.fault.bytes_per_second)
        return False
    if harm in {Harm.MALFORMED, Harm.GARBLED} and not fault.removed:
        event: JSON = msgspec.json.decode(line)
        broken = spoil(msgspec.json.encode(event["object"]), harm)
        line = b'{"type":"%b","object":%b}\n' % (event["type"].encode(), broken)
        fault.removed = True
    await response.write(line)
    return False


async def send(request: web.BaseRequest, whole: web.Response, fault: Active | None) -> web.StreamResponse:
    """Send an answer, as `fault` has it: late and slowly, half of it, or spoilt."""
    if fault is None or not isinstance(whole.body, bytes):
        return whole
    body = whole.body
    match fault.fault.harm:
        case Harm.SLOW:
            await asyncio.sleep(fault.fault.delay)
            response = await _begin(request, whole)
            await _throttled(response, body, fault.fault.bytes_per_second)
        case Harm.CUT:
            response = await _begin(request, whole)
            await response.write(body[: len(body) // 2])
            cut(request)
        case (Harm.MALFORMED | Harm.GARBLED) as harm:
            whole.body = spoil(body, harm)
            return whole
        case _:
            return whole
    return response


async def _begin(request: web.BaseRequest, whole: web.Response) -> web.StreamResponse:
    """Promise a whole answer."""
    response = web.StreamResponse(status=whole.status, headers=whole.headers)
    response.content_length = whole.content_length
    await response.prepare(request)
    return response


def spoil(raw: bytes, harm: Harm) -> bytes:
    """An answer nobody can decode: an object (of a list, the first) of wrong types, or no JSON at all."""
    try:
        body: JSON = msgspec.json.decode(raw, type=dict)
    except msgspec.DecodeError:
        return raw[: len(raw) // 2]  # it is text: all that can be wrong with it is that it is another one
    if harm is Harm.GARBLED:
        return raw[: len(raw) // 2]
    items = body.get("items")
    _set_wrong_types(items[0] if isinstance(items, list) and items else body)
    return msgspec.json.encode(body)


def _set_wrong_types(body: JSON) -> None:
    body["status"] = ["not", "a", "status"]
    body["spec"] = "not a spec"
    if "metadata" in body:
        body["metadata"]["labels"] = ["not", "labels"]


async def _throttled(response: web.StreamResponse, data: bytes, bytes_per_second: int | None) -> None:
    if bytes_per_second is None:
        await response.write(data)
        return
    piece = max(1, bytes_per_second // 10)
    for start in range(0, len(data), piece):
        await response.write(data[start : start + piece])
        await asyncio.sleep(piece / bytes_per_second)
