"""The page at `/`, for people."""

import html
from collections.abc import Sequence

from exporter.model.report import Report
from exporter.web.status import Status


def render(reports: Sequence[Report], status: Status) -> str:
    """The page as HTML: the sessions, oldest first, and how the exporter itself is doing."""
    sessions = "".join(
        f"<li>{html.escape(f'{report.kind}: {report.from_version} to {report.to_version}, {report.phase}')}</li>"
        for report in reports
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>KubeVirt upgrade exporter</title>"
        f"<h1>KubeVirt upgrade exporter {html.escape(status.version)}</h1><ol>{sessions}</ol>"
        "<p><a href=metrics>metrics</a> <a href=api/v1/upgrades>upgrades as JSON</a></p>"
    )
