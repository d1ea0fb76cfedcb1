"""The page of a real upgrade in each format: valid, complete, and as large as the questions, not as the cluster."""

import pathlib

import pytest
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.samples import Sample

from exporter import fold, settings
from exporter.exposition import negotiation, registry
from exporter.recording import reader, replay


@pytest.fixture(scope="module")
def pages(recordings: pathlib.Path) -> dict[str, str]:
    """The page as of the end of the clean upgrade, by format."""
    folded = fold.Fold(settings.Settings(), exporter_version="test")
    with reader.Recording(recordings / "upgrade-1.3.0-1.4.0.jsonl.gz") as recording:
        now = replay.replay(recording, folded)
    failed: list[str] = []
    page = registry.Registry(folded.sources(), on_failure=lambda name, error: failed.append(f"{name}: {error!r}"))
    accepted = {"classic": "", "openmetrics": "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8"}
    texts = {name: page.render(now=now, encoding=negotiation.choose(accept)) for name, accept in accepted.items()}
    assert failed == []
    return {name: text.decode() for name, text in texts.items()}


def by_series(samples: list[Sample]) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in samples}


def test_both_formats_say_the_same(pages: dict[str, str]) -> None:
    classic = [s for family in parser.text_string_to_metric_families(pages["classic"]) for s in family.samples]
    strict = openmetrics_parser.text_string_to_metric_families(pages["openmetrics"])  # type: ignore[no-untyped-call]
    openmetrics = [s for family in strict for s in family.samples]
    assert by_series(classic) == by_series(openmetrics)
    assert len(by_series(classic)) == len(classic) > 100


def test_no_family_has_two_headers(pages: dict[str, str]) -> None:
    for page in pages.values():
        headers = [line.split()[2] for line in page.splitlines() if line.startswith("# TYPE")]
        assert len(headers) == len(set(headers))
