"""The corpus: complete, readable, valid for its releases, and tried again when virt-api's version changes."""

import asyncio
import pathlib

import msgspec
import pytest

from exporter.kube.api import Api, Response
from exporter.kube.clock import Clock
from exporter.model import releases
from exporter.probes import manifests, writing
from exporter.probes.history import History
from exporter.probes.manifests import Corpus, Manifest, Verdict
from exporter.probes.source import VersionsSeen
from exporter.sim.faults import Fault, Harm
from tests.unit.probes import virtual
from tests.unit.probes.virtual import EPOCH
from tests.unit.probes.world import NAMESPACE, Cluster

CORPUS = manifests.corpus()
RELEASES = ("1.0", "1.2", "1.4", "1.6")


@pytest.mark.parametrize("release", RELEASES)
def test_every_kind_is_there_as_users_of_the_release_wrote_it(release: str) -> None:
    kinds = {str(manifest.content["kind"]) for manifest in CORPUS if manifest.release == release}
    assert kinds == {kind for _, kind in writing.PLACES}


@pytest.mark.parametrize("manifest", CORPUS, ids=lambda manifest: manifest.title)
def test_a_manifest_is_of_a_version_that_its_release_serves(manifest: Manifest) -> None:
    group, _, version = str(manifest.content["apiVersion"]).partition("/")
    place = writing.PLACES[group, str(manifest.content["kind"])]
    definition = releases.crd_versions(f"{place.plural}.{group}", manifest.release)
    assert definition is not None
    assert version in definition.served


@pytest.mark.parametrize("manifest", CORPUS, ids=lambda manifest: manifest.title)
def test_a_manifest_can_meet_no_object_that_exists(manifest: Manifest) -> None:
    assert manifest.content["metadata"] == (
        {"generateName": writing.NAME, **_labels(manifest)} if _labels(manifest) else {"generateName": writing.NAME}
    )


def _labels(manifest: Manifest) -> dict[str, object]:
    metadata = manifest.content["metadata"]
    assert isinstance(metadata, dict)
    return {key: value for key, value in metadata.items() if key in ("labels", "annotations")}


async def tried(folder: pathlib.Path, *, seconds: float, fault: Fault | None = None) -> tuple[Corpus, Cluster]:
    cluster = Cluster()
    async with cluster.serving(folder) as api:
        corpus = _corpus(api)
        if fault is not None:
            cluster.faults.add(fault)
        async with asyncio.timeout(seconds + 60):
            task = asyncio.create_task(corpus.run())
            await asyncio.sleep(seconds)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    return corpus, cluster


def _corpus(api: Api) -> Corpus:
    loop = asyncio.get_running_loop()
    clock = Clock(wall=lambda: EPOCH + loop.time(), monotonic=loop.time)
    return Corpus(api, namespace=NAMESPACE, clock=clock, history=History())


def test_a_cluster_takes_what_it_serves_and_keeps_nothing(tmp_path: pathlib.Path) -> None:
    """The simulated cluster is at 1.3: later versions of an API are not found."""
    corpus, cluster = virtual.run(tried(tmp_path, seconds=5))
    old = {"vm-alpha-1.0", "instancetype-1.0", "preference-1.0"}
    odd = {title: f.verdict for title, f in corpus.findings.items() if f.verdict is not Verdict.ACCEPTED}
    assert odd == {"clone-1.6": Verdict.NOT_FOUND} | dict.fromkeys(old, Verdict.WARNED)
    said = corpus.findings["vm-alpha-1.0"].detail
    assert said == "kubevirt.io/v1alpha3 VirtualMachine is deprecated; use kubevirt.io/v1 VirtualMachine"
    assert corpus.last_run == pytest.approx(EPOCH, abs=1)
    for (group, _), place in writing.PLACES.items():
        names = [
            metadata["name"]
            for body in cluster.simulation.cluster.list(f"{place.plural}.{group}")
            for metadata in [body["metadata"]]
        ]
        assert not [name for name in names if name.startswith(writing.NAME)]


def test_the_corpus_is_tried_every_five_minutes(tmp_path: pathlib.Path) -> None:
    corpus, _ = virtual.run(tried(tmp_path, seconds=manifests.INTERVAL + 5))
    assert corpus.last_run == pytest.approx(EPOCH + manifests.INTERVAL, abs=1)


def test_without_the_role_it_is_said_once_for_each(tmp_path: pathlib.Path) -> None:
    fault = Fault(harm=Harm.STATUS, code=403, method="POST", message="forbidden")
    corpus, _ = virtual.run(tried(tmp_path, seconds=5, fault=fault))
    assert {finding.verdict for finding in corpus.findings.values()} == {Verdict.NOT_PERMITTED}


def test_no_answer_is_a_finding(tmp_path: pathlib.Path) -> None:
    corpus, _ = virtual.run(tried(tmp_path, seconds=5, fault=Fault(harm=Harm.RESET, method="POST")))
    assert {finding.verdict for finding in corpus.findings.values()} == {Verdict.NO_ANSWER}


@pytest.mark.parametrize("code", [429, 500, 503, 504])
def test_a_server_in_trouble_says_nothing_about_a_manifest(tmp_path: pathlib.Path, code: int) -> None:
    fault = Fault(harm=Harm.STATUS, code=code, method="POST", message="come again", retry_after=1)
    corpus, _ = virtual.run(tried(tmp_path, seconds=5, fault=fault))
    assert {(f.verdict, f.detail) for f in corpus.findings.values()} == {(Verdict.NO_ANSWER, "come again")}


def test_quotes_in_a_warning_are_read_as_they_were_meant() -> None:
    [manifest, *_] = CORPUS
    answer = Response(
        201, {"Warning": r'299 - "the field \"running\" is \\ old"'}, msgspec.json.encode(manifest.content)
    )
    assert manifests.judge(manifest, answer).detail == r'the field "running" is \ old'


def test_versions_that_come_or_go_are_changes() -> None:
    now = [0.0]
    changes: list[float] = []
    seen = VersionsSeen(now=lambda: now[0], on_change=lambda: changes.append(now[0]))
    assert not seen
    for at, version in [(0, "v1.3.0"), (1, "v1.3.0"), (2, "v1.4.0"), (3, "v1.3.0"), (40, "v1.4.0"), (70, "v1.4.0")]:
        now[0] = at
        seen(version)
    assert changes == [2, 70]
    assert seen.recent(62) == {"v1.3.0": 3, "v1.4.0": 70}
    assert seen.recent(70) == {"v1.4.0": 70}


def test_a_version_change_hurries_the_next_run(tmp_path: pathlib.Path) -> None:
    async def story() -> float | None:
        cluster = Cluster()
        async with cluster.serving(tmp_path) as api:
            corpus = _corpus(api)
            task = asyncio.create_task(corpus.run())
            await asyncio.sleep(100)
            corpus.hurry()
            await asyncio.sleep(5)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return corpus.last_run

    assert virtual.run(story()) == pytest.approx(EPOCH + 100, abs=1)
