"""One measurement of the exporter's core in a fresh process: sync, watch, page. Prints JSON.

`python -m bench.client PORT all|vmis EVENTS`
"""

import asyncio
import gc
import json
import pathlib
import statistics
import sys
import tempfile
import time

import aiohttp

from exporter import settings
from exporter.exposition import registry
from exporter.fold import Fold
from exporter.kube import access, api, namespace
from exporter.kube.reflector import Reflector, Surroundings
from exporter.model import resources
from exporter.model.changes import Change, ListReplaced

_KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: u, user: {{}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
current-context: x
"""


ROUNDS = 5
"""Of so many the least is taken, as of the others that it is compared with: the rest is what else the machine did."""


def peak() -> float:
    """MB of resident memory at most so far; `ru_maxrss` begins with what the parent had."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


async def measure(port: int, what: str, events: int) -> dict[str, float]:
    """Seconds of CPU, MB, microseconds."""
    result: dict[str, float] = {"imports_mb": peak()}
    fold = Fold(settings.Settings(), exporter_version="bench")
    watched = (resources.VMIS, resources.VMS, resources.LAUNCHERS) if what == "all" else (resources.VMIS,)
    waiting, done = set(watched), asyncio.Event()

    def emit(change: Change) -> None:
        fold.feed(change)
        if isinstance(change, ListReplaced):
            waiting.discard(change.resource)
            if not waiting:
                done.set()

    for name in resources.DECIDING - set(watched):
        fold.feed(ListReplaced(at=0.0, resource=name, added=(), changed=(), removed=(), initial=True))
    with tempfile.TemporaryDirectory() as folder:
        kubeconfig = pathlib.Path(folder) / "kubeconfig"
        kubeconfig.write_text(_KUBECONFIG.format(port=port))
        who = access.Access(access.Kubeconfig(file=str(kubeconfig)))
        await who.load()
    async with api.Api(who, deadline=60.0) as client, aiohttp.ClientSession() as control, asyncio.TaskGroup() as tasks:
        around = Surroundings(
            api=client, emit=emit, watching=settings.Watching(), namespace=namespace.InstallNamespace("kubevirt")
        )
        reflectors = {name: Reflector(resources.BY_NAME[name], around) for name in watched}
        started = time.process_time()
        running = [tasks.create_task(r.run()) for r in reflectors.values()]
        await done.wait()
        result["sync_cpu_s"] = time.process_time() - started
        result["peak_mb"] = peak()
        gc.collect()
        gc.freeze()
        costs: dict[str, list[float]] = {"unchanged": [], "changed": []}
        ready = True
        for _ in range(ROUNDS):
            costs["unchanged"].append(await event_cost(control, port, reflectors[resources.VMIS], events, ready=ready))
            ready = not ready
            costs["changed"].append(await event_cost(control, port, reflectors[resources.VMIS], events, ready=ready))
        for kind, rounds in costs.items():
            result[f"{kind}_event_us"] = min(rounds)
            result[f"{kind}_event_median_us"] = statistics.median(rounds)
        result.update(page(fold))
        result["end_mb"] = peak()
        for task in running:
            task.cancel()
    return result


async def event_cost(
    control: aiohttp.ClientSession, port: int, reflector: Reflector, events: int, *, ready: bool
) -> float:
    """Microseconds of CPU for each of so many events, in which that many guests are ready or not."""
    seen = reflector.status.events
    before = time.process_time()
    parameters = {"ready": str(int(ready)), "count": str(events)}
    async with control.post(f"http://127.0.0.1:{port}/go", params=parameters) as answer:
        await answer.read()
    while reflector.status.events < seen + events:  # noqa: ASYNC110 - costs nothing measurable
        await asyncio.sleep(0.05)
    return (time.process_time() - before) / events * 1e6


def page(fold: Fold) -> dict[str, float]:
    """Milliseconds for the page as it is, and its size."""
    pages = registry.Registry(fold.sources(), on_failure=_fail)
    times, body = [], b""
    for _ in range(5):
        started = time.process_time()
        body = pages.render(now=fold.last)
        times.append(time.process_time() - started)
    return {
        "page_ms": sorted(times)[2] * 1000,
        "series": sum(1 for line in body.splitlines() if line[:1] not in (b"#", b"")),
    }


def _fail(source: str, error: Exception) -> None:
    raise RuntimeError(source) from error


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))))
