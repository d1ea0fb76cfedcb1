"""Decoding reports: what was encoded comes back, and anything else is refused."""

import msgspec
import pytest

from exporter.report import decode, encode
from tests.unit.report.examples import REPORT


def test_a_report_comes_back_to_the_millisecond() -> None:
    [got] = decode.reports(encode.as_json([REPORT]))
    assert got.started_at == pytest.approx(REPORT.started_at, abs=0.001)
    assert got.continuity.anomalies[0].at == pytest.approx(REPORT.continuity.anomalies[0].at, abs=0.001)
    assert got.workloads_complete_at is None
    assert got.phase is REPORT.phase
    assert encode.as_json([got]) == encode.as_json([REPORT])


def test_the_order_is_kept() -> None:
    later = msgspec.structs.replace(REPORT, to_version="v1.5.0")
    assert [report.to_version for report in decode.reports(encode.as_json([REPORT, later]))] == ["v1.4.0", "v1.5.0"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[{}]",
        encode.as_json([REPORT]).replace(b'"workloads"', b'"dancing"'),
        encode.as_json([REPORT]).replace(b'"startedAt":"2', b'"startedAt":"x'),
    ],
)
def test_what_is_no_report_is_refused(text: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode.reports(text)
