"""A bare API server for measurements: serves prepared bytes in pages and streams prepared watch events, nothing else.

Runs in a process of its own, so that its cost is not the exporter's: `python -m bench.server COUNT`.
"""

import asyncio
import sys

from aiohttp import web

from bench import objects

_GROUPS = {"kubevirt.io": ("virtualmachineinstances", "virtualmachines")}


class Server:
    """Prepared items by plural; `POST /go?ready=0|1&count=N` sends events to whoever watches VMIs."""

    def __init__(self, count: int) -> None:
        self._version = 1_000_000
        self._items = dict(objects.everything(count))
        self._go: asyncio.Queue[list[bytes]] = asyncio.Queue()
        self._sent = asyncio.Event()

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application()
        app.router.add_get("/apis/kubevirt.io", self._group)
        app.router.add_get("/apis/kubevirt.io/v1/{plural}", self._resource)
        app.router.add_get("/api/v1/{plural}", self._resource)
        app.router.add_post("/go", self._start)
        return app

    async def _group(self, request: web.Request) -> web.Response:
        version = {"groupVersion": "kubevirt.io/v1", "version": "v1"}
        return web.json_response({
            "kind": "APIGroup", "apiVersion": "v1", "name": "kubevirt.io", "versions": [version],
            "preferredVersion": version,
        })  # fmt: skip

    async def _resource(self, request: web.Request) -> web.StreamResponse:
        items = self._items[request.match_info["plural"]]
        if "watch" in request.query:
            return await self._watch(request, streams=request.match_info["plural"] == "virtualmachineinstances")
        limit, start = int(request.query.get("limit", "500")), int(request.query.get("continue", "0"))
        page = items[start : start + limit]
        token = str(start + limit) if start + limit < len(items) else ""
        metadata = f'{{"resourceVersion":"1000000","continue":"{token}"}}'
        head = f'{{"kind":"List","apiVersion":"v1","metadata":{metadata},"items":['
        return web.Response(body=head.encode() + b",".join(page) + b"]}", content_type="application/json")

    async def _watch(self, request: web.Request, *, streams: bool) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while streams:
            lines = await self._go.get()
            for first in range(0, len(lines), 20):
                await response.write(b"".join(lines[first : first + 20]))
            self._sent.set()
        await asyncio.sleep(3600)
        return response

    async def _start(self, request: web.Request) -> web.Response:
        ready, self._version = request.query["ready"] == "1", self._version + 1
        guests = (objects.vmi(n, version=self._version, ready=ready) for n in range(int(request.query["count"])))
        lines = [b'{"type":"MODIFIED","object":' + guest + b"}\n" for guest in guests]
        self._sent.clear()
        await self._go.put(lines)
        await self._sent.wait()
        return web.Response(text=str(sum(map(len, lines))))


async def _serve(count: int) -> None:
    runner = web.AppRunner(Server(count).application(), shutdown_timeout=0.1)  # watches do not end by themselves
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)  # until whoever started us goes away
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
