"""Which format a scraper gets: classic text or OpenMetrics, and whether gzip is welcome.

The client library has the encoders, and `choose_encoder` picks one. It takes the first range of `Accept` it knows
without looking at `q`, puts any version it is given into `Content-Type`, and fails on a version that is not a number;
Prometheus 3 refuses a page without a valid type. So the header is read here, and the library is asked in words it
knows.
"""

import gzip
import math
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric

_OPENMETRICS: Final = "application/openmetrics-text"
_TEXT: Final = "text/plain"
_KNOWN: Final = frozenset(
    {
        (_OPENMETRICS, "1.0.0"),
        (_TEXT, "1.0.0"),
        (_TEXT, "0.0.4"),
    }
)
_DEFAULT_VERSION: Final = {_OPENMETRICS: "1.0.0", _TEXT: "0.0.4"}
_GZIP_LEVEL: Final = 1
"""Level 9, the library's choice, takes seven times as long and saves a tenth."""


class _Page:
    """What the library's encoders expect of a registry."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


class Encoding(NamedTuple):
    """One format of the page."""

    content_type: str
    encoder: Callable[[Any], bytes]

    def encode(self, metrics: Iterable[Metric]) -> bytes:
        """The text of these families."""
        return self.encoder(_Page(metrics))


class _Range(NamedTuple):
    """One element of an `Accept` or `Accept-Encoding` header."""

    name: str
    parameters: dict[str, str]
    weight: float


def choose(accept: str) -> Encoding:
    """The format a scraper likes best; classic text for everybody who names none that we have, as every exporter does.

    All our names are plain ASCII, so no escaping need change them: `allow-utf-8` is answered with `allow-utf-8` and
    everything else with `underscores`, which the page then is.
    """
    for wanted in _ranges(accept):
        if wanted.weight <= 0:  # refused
            continue
        version = wanted.parameters.get("version", _DEFAULT_VERSION.get(wanted.name, ""))
        if (wanted.name, version) in _KNOWN:
            escaping = "allow-utf-8" if wanted.parameters.get("escaping") == "allow-utf-8" else "underscores"
            encoder, content_type = choose_encoder(f"{wanted.name};version={version};escaping={escaping}")
            return Encoding(content_type, encoder)
    return CLASSIC


def gzip_welcome(accept_encoding: str) -> bool:
    """The client takes gzip (RFC 9110, 12.5.3)."""
    weights = {wanted.name: wanted.weight for wanted in _ranges(accept_encoding)}
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def compress(body: bytes) -> bytes:
    """Gzip, the same bytes each time."""
    return gzip.compress(body, compresslevel=_GZIP_LEVEL, mtime=0)


def _ranges(header: str) -> list[_Range]:
    """The elements in order of weight, and of place where weights are equal."""
    found = []
    for element in header.split(","):
        name, *rest = (part.strip() for part in element.split(";"))
        pairs = (part.partition("=") for part in rest)
        parameters = {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs}
        found.append(_Range(name.lower(), parameters, _weight(parameters.get("q", "1"))))
    return sorted(found, key=lambda element: -element.weight)


def _weight(text: str) -> float:
    """The number; 0 where it is none."""
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    return weight if math.isfinite(weight) else 0.0


def _classic() -> Encoding:
    encoder, content_type = choose_encoder("")
    return Encoding(content_type, encoder)


CLASSIC: Final = _classic()
"""Text format 0.0.4, which everything reads."""
