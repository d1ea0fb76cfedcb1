"""The page at `/`, for people: the latest session, what we see of the cluster, and the history.

Made anew for each request from the reports and the status, so it has no state of its own. It refreshes itself. It loads
nothing from elsewhere, and its policy forbids the browser to.
"""

import base64
import functools
import hashlib
import importlib.resources
from collections.abc import Iterator, Sequence
from typing import Final

from exporter.model.report import Report
from exporter.web import beyond, headline, sections
from exporter.web.markup import Html, el, verbatim
from exporter.web.status import Status
from exporter.web.wording import Tone, moment

_BUSY_SECONDS: Final = 2
_IDLE_SECONDS: Final = 10
_ICON_COLOURS: Final = {
    Tone.OK: "1a7f37",
    Tone.WARN: "bf8700",
    Tone.BAD: "cf222e",
    Tone.UNKNOWN: "8250df",
    Tone.PLAIN: "57606a",
}


def render(reports: Sequence[Report], status: Status) -> str:
    """The page as HTML: the sessions, oldest first, and how the exporter itself is doing."""
    return "<!doctype html>" + el("html", _head(reports, status), _body(reports, status), lang="en")


@functools.cache
def policy() -> str:
    """The Content-Security-Policy to send along: only this page's own style and script, nothing from elsewhere."""
    return "; ".join([
        "default-src 'none'",
        f"style-src {_hash('page.css')}",
        f"script-src {_hash('page.js')}",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ])  # fmt: skip


@functools.cache
def _source(name: str) -> str:
    return importlib.resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(name: str) -> str:
    digest = hashlib.sha256(_source(name).encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _head(reports: Sequence[Report], status: Status) -> Html:
    colour = _ICON_COLOURS[headline.tone(reports, status)]
    icon = (
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
        f"%3Ccircle cx='8' cy='8' r='7' fill='%23{colour}'/%3E%3C/svg%3E"
    )
    return el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="robots", content="noindex"),
        el("noscript", el("meta", http_equiv="refresh", content=_refresh(reports))),
        el("title", headline.title(reports, status)),
        el("link", rel="icon", href=icon),
        verbatim("style", _source("page.css")),
    )


def _refresh(reports: Sequence[Report]) -> int:
    """Seconds until the next look."""
    return _BUSY_SECONDS if reports and not reports[-1].phase.over else _IDLE_SECONDS


def _body(reports: Sequence[Report], status: Status) -> Html:
    return el(
        "body",
        el(
            "header",
            el("span", "KubeVirt upgrade exporter", class_="brand"),
            el("nav", el("a", "JSON", href="api/v1/upgrades"), el("a", "Metrics", href="metrics")),
        ),
        el("p", "The exporter does not answer. What you see here is old.", id="stale", role="alert", hidden=True),
        el(
            "main",
            headline.section(reports, status),
            *_sections(reports, status),
            el("p", "As of ", moment(status.now, status.now), f" UTC · version {status.version}", class_="asof muted"),
            data_refresh=_refresh(reports),
        ),
        verbatim("script", _source("page.js")),
    )


def _sections(reports: Sequence[Report], status: Status) -> Iterator[Html | None]:
    """In the order of urgency; in two columns where there is room."""
    if not reports:
        yield beyond.sight(status)
        return
    latest, now = reports[-1], status.now
    yield sections.findings(latest, now)
    yield sections.components(latest, now)
    left = sections.guests(latest), sections.api(latest), sections.leaders(latest)
    right = sections.objectives(latest), sections.retention(latest), beyond.sight(status)
    yield el("div", el("div", *left), el("div", *right), class_="columns")
    yield beyond.history(reports, status)
