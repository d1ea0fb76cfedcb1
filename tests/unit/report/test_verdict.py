"""Findings, in words."""

import msgspec
import pytest

from exporter.report import verdict
from exporter.settings import Objectives
from tests.unit.report.examples import EVIDENCE, REPORT


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.004, "0.1 s"), (0.96, "1 s"), (93.194, "93.2 s"), (86_400.26, "86400.3 s"), (0.0, "")]
)
def test_time_that_was_not_observed_has_as_many_digits_as_somebody_reads(seconds: float, words: str) -> None:
    continuity = msgspec.structs.replace(REPORT.continuity, unobserved_seconds=seconds)
    judged = verdict.judged(msgspec.structs.replace(REPORT, continuity=continuity), EVIDENCE, Objectives())
    found = [finding.summary for finding in judged.findings if finding.check == verdict.Check.UNOBSERVED]
    assert found == ([f"{words} were not observed"] if words else [])
