"""Reports as tables."""

import io

import msgspec
import pytest

from exporter.cli import tables
from exporter.model import report as r
from tests.conftest import Golden
from tests.unit.report.examples import REPORT


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(*reports: r.Report) -> str:
    stream = io.StringIO()
    tables.show(reports, stream)
    return stream.getvalue()


def test_all_parts_of_a_report_are_shown(golden: Golden) -> None:
    golden("cli/report.txt", shown(REPORT))


def test_a_file_gets_plain_text_of_fixed_width() -> None:
    text = shown(REPORT, REPORT)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 100
    assert text == shown(REPORT, REPORT)


def test_a_terminal_gets_colours() -> None:
    stream = Terminal()
    tables.show([REPORT], stream)
    assert "\x1b[" in stream.getvalue()


def test_a_narrow_terminal_shows_whole_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut off, `discovery-snapshot…` and `discovery-subresources…` would be the same."""
    monkeypatch.setenv("COLUMNS", "70")
    name = "discovery-subresources.kubevirt.io"
    probe = msgspec.structs.replace(REPORT.api.probes[0], probe=name)
    stream = Terminal()
    tables.show([msgspec.structs.replace(REPORT, api=msgspec.structs.replace(REPORT.api, probes=(probe,)))], stream)
    assert "…" not in stream.getvalue()
    firsts = [line.split()[0] for line in stream.getvalue().splitlines() if line.split()]
    assert name in "".join(firsts)


def test_without_a_session_it_says_so() -> None:
    assert shown() == "No session: nothing was upgraded, rolled back or reconfigured.\n"


def test_what_is_not_known_is_a_question_mark() -> None:
    unknown = msgspec.structs.replace(
        REPORT,
        from_version=None,
        verdict_so_far=None,
        migrations=msgspec.structs.replace(REPORT.migrations, outdated=None),
        continuity=msgspec.structs.replace(REPORT.continuity, baseline=None),
    )
    text = shown(unknown)
    assert text.startswith("upgrade ? to v1.4.0: ?\n")
    assert "? at the start" in text
    assert "outdated guests    ?, of which stranded: 1" in text


def test_a_final_verdict_is_not_so_far() -> None:
    passed = msgspec.structs.replace(REPORT, verdict=r.Verdict.PASSED, verdict_so_far=None)
    assert shown(passed).startswith("upgrade v1.3.0 to v1.4.0: PASSED\n")


def test_lost_objects_are_named_and_others_are_not() -> None:
    lost = r.RetentionReport(before=3, after=2, created=0, deleted=0, lost=1, recreated=0, spec_changed=0)
    objects = REPORT.retention.objects | {"virtualmachineclones.clone.kubevirt.io": lost}
    text = shown(msgspec.structs.replace(REPORT, retention=r.Retention(objects=objects)))
    assert "virtualmachineclones.clone.kubevirt.io" in text
    assert "virtualmachines.kubevirt.io" not in text
