"""All together: what leaves us, and what there is to see of it."""

import asyncio
import json
import pathlib
import re

from aiohttp import web

import exporter
from exporter import settings
from exporter.kube import access
from exporter.kube.api import Api
from exporter.kube.clock import Clock
from exporter.model import probing
from exporter.model.changes import ProbeFinished
from exporter.probes import manifests, source
from exporter.probes.asking import Ask
from exporter.probes.prober import Prober
from exporter.probes.table import required, table
from exporter.sim.faults import Fault, Harm
from tests.conftest import REPOSITORY
from tests.unit.probes import virtual
from tests.unit.probes.virtual import EPOCH
from tests.unit.probes.world import NAMESPACE, Cluster


async def test_every_request_names_its_probe_and_can_be_found_in_the_audit_log(tmp_path: pathlib.Path) -> None:
    seen: list[web.BaseRequest] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        seen.append(request)
        return web.Response(text="ok")

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    here = f"http://127.0.0.1:{runner.addresses[0][1]}"
    file = tmp_path / "kubeconfig"
    file.write_text(
        json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "x",
            "clusters": [{"name": "x", "cluster": {"server": here}}],
            "users": [{"name": "x", "user": {"token": "a-token"}}],
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        })
    )  # fmt: skip
    async with Api(await access.load(settings.Cluster(kubeconfig=str(file))), deadline=10) as api:
        asks = [Ask(api, probe="a-probe", connection=connection) for connection in (probing.REUSED, probing.NEW)]
        for ask in asks:
            await ask.get("/readyz")
    await runner.cleanup()
    assert [request.headers["Audit-ID"] for request in seen] == [ask.audit_id for ask in asks]
    assert asks[0].audit_id != asks[1].audit_id
    assert {request.headers["User-Agent"] for request in seen} == {
        f"kubevirt-upgrade-exporter/{exporter.__version__} probe/a-probe"
    }


def test_the_table_names_what_must_be_measured_and_creates_only_where_it_may() -> None:
    assert not [probe for probe in table(namespace="") if "create" in probe.name]
    assert required(table(namespace=NAMESPACE)) == (
        "apiserver-readyz", "subresource-version", "subresource-healthz", "vm-list-v1", "vm-dry-run-create-v1",
        "discovery-kubevirt.io", "discovery-subresources.kubevirt.io",
    )  # fmt: skip
    both = {probe.name for probe in table(namespace="") if probing.NEW in probe.connections}
    assert both == {"apiserver-readyz", "subresource-version"}


def test_a_version_change_has_the_manifests_tried_again_and_the_page_tells_all(tmp_path: pathlib.Path) -> None:
    async def story() -> tuple[Prober, list[ProbeFinished]]:
        cluster = Cluster()
        loop = asyncio.get_running_loop()
        results: list[ProbeFinished] = []
        async with cluster.serving(tmp_path) as api:
            prober = Prober(
                api,
                namespace=NAMESPACE,
                eager=lambda: True,
                emit=results.append,
                clock=Clock(wall=lambda: EPOCH + loop.time(), monotonic=loop.time),
            )
            task = asyncio.create_task(prober.run())
            await asyncio.sleep(20)
            cluster.backend.claims = "v1.4.0"
            cluster.faults.add(Fault(harm=Harm.STATUS, path="healthz", code=503, message="go away", times=1))
            await asyncio.sleep(10)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return prober, results

    prober, results = virtual.run(story())
    samples = {(s.family, s.labels): s.value for s in prober.source.samples(EPOCH + 30)}
    assert samples[source.VERSIONS, ()] == 2
    assert samples[source.MANIFESTS_RUN, ()] - EPOCH > 20
    verdicts = {labels[:2] for family, labels in samples if family is source.MANIFEST}
    assert len(verdicts) == len(manifests.corpus())
    assert {result.probe for result in results} == {probe.name for probe in table(namespace=NAMESPACE)}
    page = prober.page()
    assert "subresource-healthz reused: working, 0 under way, 0 missed\n" in page
    assert re.search(r"  2027-01-15T08:00:20.\d{3}Z  http_5xx  HTTP 503  0\.\d{3} s  audit-id \S{36}  go away\n", page)
    assert "manifest vm-1.0 reused\n" in page


def test_the_documentation_names_every_probe_and_reason() -> None:
    text = (REPOSITORY / "docs" / "probes.md").read_text()
    rows = "\n".join(line for line in text.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`([a-z]+-[a-z0-9.-]+)`", rows)) == {probe.name for probe in table(namespace=NAMESPACE)}
    assert [reason for reason in probing.REASONS if f"`{reason}`" not in text] == []
