"""Objectives: the API's is met only where the probes have looked for as long as the session lasted."""

import msgspec
import pytest

from exporter.model.report import ProbeReport, Report, SloReport, SloState
from exporter.report import slos
from exporter.settings import Objectives
from tests.unit.report.examples import EVIDENCE, REPORT

LENGTH = 1_000.0
"""Seconds from the beginning to the observed completion."""


def probed(*probes: ProbeReport, configured: tuple[str, ...] = ("version",)) -> Report:
    replace = msgspec.structs.replace
    api = replace(REPORT.api, probes=probes, probes_configured=configured)
    ends = {"observed_complete_at": REPORT.started_at + LENGTH, "observed_until": REPORT.started_at + 2 * LENGTH}
    return replace(REPORT, api=api, **ends)


def probe(
    measured: float, *, disrupted: float = 0.0, client: float = 0.0, name: str = "version", connection: str = "reused"
) -> ProbeReport:
    return ProbeReport(
        probe=name, connection=connection, measured_seconds=measured, disruption_seconds=disrupted,
        cluster_seconds=0.0, client_seconds=client, failures={},
    )  # fmt: skip


def api(report: Report) -> SloReport:
    return next(slo for slo in slos.evaluate(report, EVIDENCE, Objectives()) if slo.slo == slos.API)


def test_it_is_met_where_the_probes_looked_up_to_the_completion() -> None:
    assert api(probed(probe(LENGTH))).state is SloState.MET
    assert api(probed(probe(LENGTH - 299))).state is SloState.MET, "as much may go unobserved"


@pytest.mark.parametrize(
    "seen",
    [probe(5), probe(0), probe(LENGTH - 301), probe(LENGTH, client=301), probe(LENGTH, name="another")],
    ids=["hardly", "never", "too little", "nothing got out of our side", "another one"],
)
def test_what_was_not_looked_at_is_no_pass(seen: ProbeReport) -> None:
    assert api(probed(seen)).state is SloState.UNKNOWN


def test_every_configured_probe_must_have_looked_over_some_connection() -> None:
    both = ("version", "list")
    assert api(probed(probe(LENGTH), probe(9, connection="new"), configured=both)).state is SloState.UNKNOWN
    seen = (probe(LENGTH), probe(9, connection="new"), probe(LENGTH, name="list"))
    assert api(probed(*seen, configured=both)).state is SloState.MET


def test_a_budget_that_is_gone_is_gone_however_little_was_seen() -> None:
    assert api(probed(probe(15, disrupted=11))).state is SloState.EXHAUSTED
