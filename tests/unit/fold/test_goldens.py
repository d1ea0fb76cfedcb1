"""The whole report and the whole page of every recording, byte for byte."""

import pathlib

import pytest

from exporter import cli
from tests.conftest import Golden

RECORDINGS = {
    "clean": "upgrade-1.3.0-1.4.0.jsonl.gz",
    "stuck-handler": "upgrade-1.3.0-1.4.0-stuck-handler.jsonl.gz",
    "staged": "upgrade-1.2.0-1.3.0-1.4.0-staged.jsonl.gz",
}
ENDINGS = {"json": "json", "metrics": "prom", "table": "txt"}


def replay(capsys: pytest.CaptureFixture[str], path: pathlib.Path, *options: str) -> str:
    assert cli.main(["replay", str(path), *options]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("output", ENDINGS)
@pytest.mark.parametrize("name", RECORDINGS)
def test_a_recording_gives_the_same_bytes_every_time(
    recordings: pathlib.Path, golden: Golden, capsys: pytest.CaptureFixture[str], name: str, output: str
) -> None:
    """What it gives is in tests/golden; a change there is a change of meaning and wants a look."""
    text = replay(capsys, recordings / RECORDINGS[name], "--output", output)
    golden(f"recordings/{name}.{ENDINGS[output]}", text)
    assert replay(capsys, recordings / RECORDINGS[name], "--output", output) == text


def test_assuming_quiet_ends_the_session(
    recordings: pathlib.Path, golden: Golden, capsys: pytest.CaptureFixture[str]
) -> None:
    """The verdict is final then: nothing can change it any more."""
    text = replay(capsys, recordings / RECORDINGS["clean"], "--output", "table", "--assume-quiet-until-settled")
    golden("recordings/clean-settled.txt", text)
    assert "PASSED so far" not in text
    assert "PASSED" in text


def test_in_the_quiet_that_is_assumed_leaders_lead_on(
    recordings: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = replay(capsys, recordings / RECORDINGS["clean"], "--output", "metrics", "--assume-quiet-until-settled")
    gaps = [line for line in page.splitlines() if line.startswith("kubevirt_upgrade_leader_gap_seconds{")]
    assert [float(line.rpartition(" ")[2]) for line in gaps] == [0, 0]
