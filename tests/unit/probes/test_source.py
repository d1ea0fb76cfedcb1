"""Metrics that only the probes know, as a scraper sees them."""

import pathlib

from exporter.exposition import catalogue
from exporter.model.families import Sample
from exporter.probes import source
from exporter.probes.manifests import Corpus, Finding, Verdict, corpus
from exporter.probes.source import ProbesSource, VersionsSeen
from tests.unit.probes import virtual
from tests.unit.probes.virtual import EPOCH
from tests.unit.probes.world import NAMESPACE, Cluster, Watch, probes


def test_families_obey_the_catalogue() -> None:
    catalogue.check(source.FAMILIES)


def test_what_is_not_known_yet_has_no_sample(tmp_path: pathlib.Path) -> None:
    async def story() -> list[Sample]:
        cluster = Cluster()
        async with cluster.serving(tmp_path) as api:
            watch = Watch(api, probes("vm-list-v1"))
            found = Corpus(api, namespace=NAMESPACE, clock=watch.clock, history=watch.runner.history)
            versions = VersionsSeen(now=watch.clock.now, on_change=found.hurry)
            page = ProbesSource(watch.runner.slots, versions, found)
            before = list(page.samples(EPOCH))
            assert {s.family for s in before} == {source.STANDING, source.UNDER_WAY, source.MISSED}
            versions("v1.3.0")
            first = corpus()[0]
            found.findings[first.title] = Finding(manifest=first, verdict=Verdict.PRUNED)
            return list(page.samples(EPOCH))

    samples = virtual.run(story())
    assert [s.value for s in samples if s.family is source.VERSIONS] == [1]
    assert [s.labels for s in samples if s.family is source.MANIFEST and s.value] == [("clone", "1.0", "pruned")]
    assert [s.labels for s in samples if s.family is source.STANDING and s.value] == [
        ("vm-list-v1", "reused", "unknown")
    ]
