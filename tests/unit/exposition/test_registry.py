"""The page: what sources say arrives complete, once, and a broken source costs only itself."""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import cast

import pytest
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.samples import Sample as Parsed

from exporter.exposition import negotiation, registry
from exporter.model.families import Distribution, Family, Kind, Sample

NOW = 1_700_000_000.5

GUESTS = Family(
    name="guests", kind=Kind.GAUGE, help='Guests by\nphase, "quoted" and \\.', labels=("namespace", "phase")
)
LOST = Family(name="lost", kind=Kind.COUNTER, help="Lost.", labels=("reason",))
VERSIONS = Family(name="versions", kind=Kind.INFO, help="Versions.", labels=("from", "to"))
PHASE = Family(name="phase", kind=Kind.STATESET, help="Phase.", labels=("phase",), states=("idle", "busy"))
SECONDS = Family(name="seconds", kind=Kind.HISTOGRAM, help="Seconds.", labels=("how",), buckets=(0.5, 2.0))


class Source:
    """A source with the samples of a function."""

    def __init__(
        self, name: str, families: tuple[Family, ...], samples: Callable[[float], Iterable[Sample]] = lambda _: ()
    ) -> None:
        self.name = name
        self.families = families
        self.samples = samples


class Failures(list[tuple[str, str]]):
    """Collects what the registry reports."""

    def __call__(self, name: str, error: Exception) -> None:
        self.append((name, repr(error)))


def everything(_: float) -> Iterator[Sample]:
    yield GUESTS(3, namespace='a "b" \\ c\nd é', phase="Running")
    yield GUESTS(math.inf, namespace="", phase="Failed")
    yield from LOST.counts({"node": 2}, initial=("node", "oom"))
    yield VERSIONS(1, **{"from": "v1.3.0", "to": "v1.4.0"})
    yield from PHASE.state("busy")
    yield SECONDS.histogram(Distribution((1, 3, 4), 7.25), how="fast")


COMPLETE = Source("complete", (GUESTS, LOST, VERSIONS, PHASE, SECONDS), everything)


def ignore(name: str, error: Exception) -> None:
    del name, error


def render(*sources: registry.Source, accept: str = "", on_failure: registry.OnFailure = ignore) -> str:
    page = registry.Registry(sources, on_failure=on_failure)
    return page.render(now=NOW, encoding=negotiation.choose(accept)).decode()


def series(samples: Iterable[Parsed]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}


EXPECTED = {
    ("kubevirt_upgrade_guests", frozenset({("namespace", 'a "b" \\ c\nd é'), ("phase", "Running")})): 3.0,
    ("kubevirt_upgrade_guests", frozenset({("namespace", ""), ("phase", "Failed")})): math.inf,
    ("kubevirt_upgrade_lost_total", frozenset({("reason", "node")})): 2.0,
    ("kubevirt_upgrade_lost_total", frozenset({("reason", "oom")})): 0.0,
    ("kubevirt_upgrade_versions_info", frozenset({("from", "v1.3.0"), ("to", "v1.4.0")})): 1.0,
    ("kubevirt_upgrade_phase", frozenset({("phase", "idle")})): 0.0,
    ("kubevirt_upgrade_phase", frozenset({("phase", "busy")})): 1.0,
    ("kubevirt_upgrade_seconds_bucket", frozenset({("how", "fast"), ("le", "0.5")})): 1.0,
    ("kubevirt_upgrade_seconds_bucket", frozenset({("how", "fast"), ("le", "2.0")})): 3.0,
    ("kubevirt_upgrade_seconds_bucket", frozenset({("how", "fast"), ("le", "+Inf")})): 4.0,
    ("kubevirt_upgrade_seconds_count", frozenset({("how", "fast")})): 4.0,
    ("kubevirt_upgrade_seconds_sum", frozenset({("how", "fast")})): 7.25,
    ("kubevirt_upgrade_exporter_source_success", frozenset({("source", "complete")})): 1.0,
}


@pytest.mark.parametrize("accept", ["", "text/plain;version=1.0.0;escaping=allow-utf-8", "text/plain;version=0.0.4"])
def test_text_says_what_the_sources_said(accept: str) -> None:
    families = list(parser.text_string_to_metric_families(render(COMPLETE, accept=accept)))
    assert series(sample for family in families for sample in family.samples) == EXPECTED


@pytest.mark.parametrize("escaping", ["", ";escaping=allow-utf-8", ";escaping=underscores", ";escaping=values"])
def test_openmetrics_says_what_the_sources_said(escaping: str) -> None:
    page = render(COMPLETE, accept=f"application/openmetrics-text;version=1.0.0{escaping}")
    families = list(openmetrics_parser.text_string_to_metric_families(page))  # type: ignore[no-untyped-call]
    assert series(sample for family in families for sample in family.samples) == EXPECTED
    assert page.endswith("# EOF\n")
    kinds = {family.name.removeprefix("kubevirt_upgrade_"): family.type for family in families}
    assert kinds == {
        "guests": "gauge",
        "lost": "counter",
        "versions": "info",
        "phase": "gauge",
        "seconds": "histogram",
        "exporter_source_success": "gauge",
    }


def test_each_family_has_one_header_however_its_samples_are_mixed() -> None:
    """The text format forbids a second header; the parser of Prometheus refuses the page."""
    mixed = Source("mixed", (GUESTS, LOST), lambda _: [LOST(1, reason="a"), _guest("x"), LOST(1, reason="b")])
    headers = [line for line in render(mixed).splitlines() if line.startswith("# TYPE")]
    assert headers == [
        "# TYPE kubevirt_upgrade_guests gauge",
        "# TYPE kubevirt_upgrade_lost_total counter",
        "# TYPE kubevirt_upgrade_exporter_source_success gauge",
    ]


def test_a_family_without_samples_is_not_on_the_page() -> None:
    assert "guests" not in render(Source("silent", (GUESTS,)))


def test_nothing_says_when_a_series_was_created() -> None:
    for accept in ("", "application/openmetrics-text;version=1.0.0"):
        assert "_created" not in render(COMPLETE, accept=accept)


def test_the_page_is_the_same_each_time() -> None:
    assert render(COMPLETE) == render(COMPLETE)


def test_sources_are_asked_for_the_moment_of_the_page() -> None:
    asked: list[float] = []

    def samples(now: float) -> list[Sample]:
        asked.append(now)
        return []

    render(Source("curious", (GUESTS,), samples))
    assert asked == [NOW]


# --- a broken source ---


def _guest(namespace: str) -> Sample:
    return GUESTS(1, namespace=namespace, phase="Running")


def half_way(_: float) -> Iterator[Sample]:
    yield _guest("before")
    raise KeyError("boom")


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (half_way, "KeyError('boom')"),
        (lambda _: [LOST(1, reason="x")], "is not declared by its source"),
        (lambda _: [_guest("twice"), _guest("twice")], "has the same series twice"),
        (lambda _: [_guest("\ud800")], "surrogates not allowed"),
        (lambda _: [GUESTS(1, namespace=cast("str", 7), phase="Running")], "expected str instance, int found"),
    ],
    ids=["raises", "undeclared", "twice", "surrogate", "number as label"],
)
def test_a_broken_source_costs_only_its_own_families(samples: Callable[[float], Iterable[Sample]], reason: str) -> None:
    failures = Failures()
    healthy = Source("healthy", (PHASE,), lambda _: PHASE.state("idle"))
    page = render(Source("broken", (GUESTS,), samples), healthy, on_failure=failures)
    assert "kubevirt_upgrade_guests" not in page
    assert 'kubevirt_upgrade_phase{phase="idle"} 1.0' in page
    assert 'kubevirt_upgrade_exporter_source_success{source="broken"} 0.0' in page
    assert 'kubevirt_upgrade_exporter_source_success{source="healthy"} 1.0' in page
    [(name, error)] = failures
    assert name == "broken"
    assert reason in error


def test_a_histogram_without_a_distribution_is_a_broken_source() -> None:
    page = render(Source("broken", (SECONDS,), lambda _: [SECONDS(1, how="slow")]))
    assert 'source_success{source="broken"} 0.0' in page


def test_a_failure_is_reported_when_it_begins_and_when_it_changes() -> None:
    """A scraper comes every few seconds; the log must not."""
    errors = iter([KeyError("a"), KeyError("a"), KeyError("b"), None, KeyError("b")])

    def samples(_: float) -> list[Sample]:
        if (error := next(errors)) is not None:
            raise error
        return []

    failures = Failures()
    page = registry.Registry([Source("broken", (GUESTS,), samples)], on_failure=failures)
    for _ in range(5):
        page.render(now=NOW)
    assert failures == [("broken", "KeyError('a')"), ("broken", "KeyError('b')"), ("broken", "KeyError('b')")]


def test_two_sources_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two sources share a name"):
        registry.Registry([Source("same", ()), Source("same", ())], on_failure=Failures())


def test_a_family_of_two_sources_is_refused() -> None:
    with pytest.raises(ValueError, match="kubevirt_upgrade_guests is declared 2 times"):
        registry.Registry([Source("one", (GUESTS,)), Source("two", (GUESTS,))], on_failure=Failures())
