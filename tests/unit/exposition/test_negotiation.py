"""Content negotiation: real scrapers' headers, and headers that must not break anything."""

import gzip

import pytest

from exporter.exposition import negotiation

CLASSIC = "text/plain; version=0.0.4; charset=utf-8"
TEXT = "text/plain; version=1.0.0; charset=utf-8; escaping="
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping="
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_2 = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"  # noqa: E501
PROTOBUF_FIRST = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7," + PROMETHEUS_3
)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", CLASSIC),
        ("*/*", CLASSIC),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", CLASSIC),
        ("text/plain", CLASSIC),
        (PROMETHEUS_3, OPENMETRICS + "allow-utf-8"),
        (PROMETHEUS_2, OPENMETRICS + "underscores"),
        (PROTOBUF_FIRST, OPENMETRICS + "allow-utf-8"),
        ("application/openmetrics-text", OPENMETRICS + "underscores"),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", OPENMETRICS + "underscores"),
        ('APPLICATION/OpenMetrics-Text; Version="1.0.0"', OPENMETRICS + "underscores"),
        ("text/plain;version=1.0.0", TEXT + "underscores"),
        ("text/plain;version=1.0.0;escaping=allow-utf-8", TEXT + "allow-utf-8"),
    ],
)
def test_a_scraper_gets_the_format_it_asks_for(accept: str, content_type: str) -> None:
    assert negotiation.choose(accept).content_type == content_type


def test_the_weight_decides_and_not_the_place() -> None:
    accept = "text/plain;version=0.0.4;q=0.3,application/openmetrics-text;version=1.0.0;q=0.9"
    assert negotiation.choose(accept).content_type == OPENMETRICS + "underscores"


def test_what_is_refused_is_not_sent() -> None:
    accept = "application/openmetrics-text;version=1.0.0;q=0,text/plain;version=1.0.0;q=0.1"
    assert negotiation.choose(accept).content_type == TEXT + "underscores"


@pytest.mark.parametrize("escaping", ["dots", "values", "nonsense"])
def test_an_escaping_that_changes_plain_names_is_not_claimed(escaping: str) -> None:
    """`dots` and `values` would rename every metric; a scraper reads from the answer what it got."""
    assert negotiation.choose(f"text/plain;version=1.0.0;escaping={escaping}").content_type == TEXT + "underscores"


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text;version=x",
        "application/openmetrics-text;version=9.9.9",
        'application/openmetrics-text;version="',
        "application/openmetrics-text;version=1.0.0;q=nan",
        "application/openmetrics-text;version=1.0.0;q=",
        "application/openmetrics-text;version=1.0.0;q=-1",
        ";;,=;=,,",
        "text/plain;version=1.0.0.0.0.0",
    ],
)
def test_a_header_we_cannot_read_gets_the_classic_format(accept: str) -> None:
    assert negotiation.choose(accept).content_type == CLASSIC


@pytest.mark.parametrize(
    ("accept_encoding", "welcome"),
    [
        ("", False),
        ("identity", False),
        ("gzip", True),
        ("deflate, GZIP;q=1.0, *;q=0.5", True),
        ("gzip;q=0", False),
        ("*", True),
        ("*;q=0.5, gzip;q=0", False),
        ("gzip;q=oops", False),
    ],
)
def test_gzip_is_sent_to_those_who_take_it(accept_encoding: str, *, welcome: bool) -> None:
    assert negotiation.gzip_welcome(accept_encoding) is welcome


def test_compressing_gives_the_same_bytes_each_time_and_back() -> None:
    body = b"kubevirt_upgrade_guests 1\n" * 100
    assert negotiation.compress(body) == negotiation.compress(body)
    assert gzip.decompress(negotiation.compress(body)) == body
