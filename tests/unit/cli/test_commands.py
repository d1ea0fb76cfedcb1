"""The commands as a user types them, and what the documentation says of them."""

import gzip
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable

import pytest
from prometheus_client import parser

import exporter
from exporter import cli
from exporter.cli import exits
from tests.conftest import REPOSITORY

HEADER = {"recording": 1, "started": "2026-01-01T00:00:00Z", "ended": "2026-01-01T00:01:00Z"}

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Runs the command line in this process; gives exit code, output and errors."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = cli.main([str(argument) for argument in arguments])
        shown = capsysbinary.readouterr()
        return code, shown.out.decode(), shown.err.decode()

    return run


@pytest.fixture
def quiet(tmp_path: pathlib.Path) -> pathlib.Path:
    """A recording of a minute in which nothing was seen."""
    path = tmp_path / "quiet.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(HEADER).encode() + b"\n"))
    return path


def process(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """The real program, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "exporter", *map(str, arguments)],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# --- the program


def test_it_tells_its_version_and_helps() -> None:
    shown = process("--version")
    assert (shown.returncode, shown.stdout) == (0, f"kubevirt-upgrade-exporter, version {exporter.__version__}\n")
    shown = process("--help")
    assert shown.returncode == 0
    assert "replay" in shown.stdout
    assert all(text in shown.stdout for text in exits.MEANINGS.values())


@pytest.mark.parametrize("command", [name for name in cli.COMMANDS if name != "cli-docs"])
def test_every_command_helps(command: str, run: Run) -> None:
    code, shown, _ = run(command, "--help")
    assert code == exits.Exit.OK
    assert shown.startswith(f"Usage: kubevirt-upgrade-exporter {command}")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Usage: "),
        (["nonsense"], "No such command 'nonsense'."),
        (["replay"], "Missing argument 'FILE'."),
        (["replay", "--output", "xml", "file"], "--output: 'xml' is not one of"),
        (["replay", "--at", "-1", "file"], "--at: '-1' is not a number, 0 or more"),
        (["run", "--listen", "nowhere"], "--listen: 'nowhere' is not like ADDRESS:PORT"),
        (["run", "--maintenance-window", "0 22 * * SAT"], "'0 22 * * SAT' is not like CRON, such as 0 22 * * 6"),
        (["run", "--kubeconfig", "/does/not/exist"], "no credentials for the cluster"),
        (["metrics-docs", "surplus"], "Got unexpected extra argument (surplus)"),
    ],
)
def test_a_wrong_call_ends_with_3_and_says_why(arguments: list[str], said: str, run: Run) -> None:
    code, out, err = run(*arguments)
    assert code == exits.Exit.USAGE
    assert out == ""
    assert said in err


def test_a_wrong_call_of_the_real_program_does_not_end_with_2() -> None:
    shown = process("replay", "--at", "soon", "file", KUE_SETTLNG="1")
    assert shown.returncode == 3
    assert shown.stdout == ""
    assert shown.stderr == (
        "kubevirt-upgrade-exporter: 2 to correct\n"
        "  --at: 'soon' is not a number, 0 or more\n"
        "  KUE_SETTLNG: there is no such setting; did you mean KUE_SETTLING?\n"
    )


def test_whoever_stops_reading_gets_no_traceback() -> None:
    command = f"{sys.executable} -m exporter metrics-docs | head -1; exit ${{PIPESTATUS[0]}}"
    shown = subprocess.run(
        ["bash", "-c", command], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    )
    assert shown.stdout == "# Metrics\n"
    assert shown.stderr == ""
    assert shown.returncode in (exits.Exit.OK, exits.Exit.PIPE)  # the pipe may have taken it all


# --- replay


def test_nothing_seen_is_no_session(quiet: pathlib.Path, run: Run) -> None:
    assert run("replay", quiet) == (0, "No session: nothing was upgraded, rolled back or reconfigured.\n", "")
    assert run("replay", quiet, "--output", "json") == (0, "[]\n", "")
    code, page, _ = run("replay", quiet, "--output", "metrics")
    assert code == 0
    assert 'kubevirt_upgrade_exporter_source_success{source="session"} 1.0' in page


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file or directory"),
        (b"", "line 1: not a recording"),
        (b"hello\n", "line 1: not a recording"),
        (b'{"recording": 2, "started": "2026-01-01T00:00:00Z"}\n', "line 1: recording format 2"),
        (json.dumps(HEADER).encode() + b"\nbroken\n{}\n", "line 2: not readable"),
    ],
)
def test_a_file_that_is_no_recording_ends_with_4(
    content: bytes | None, said: str, tmp_path: pathlib.Path, run: Run
) -> None:
    path = tmp_path / "recording"
    if content is not None:
        path.write_bytes(content)
    code, out, err = run("replay", path, "--output", "json")
    assert (code, out) == (exits.Exit.UNREADABLE, "")
    assert str(path) in err
    assert said in err


def test_a_recording_that_was_cut_off_is_used_and_said_to_be_so(quiet: pathlib.Path, run: Run) -> None:
    quiet.write_bytes(json.dumps(HEADER).encode() + b'\n{"at": "2026')
    code, out, err = run("replay", quiet, "--output", "json")
    assert (code, out) == (0, "[]\n")
    assert "line 2 is cut off" in err


def test_a_moment_beyond_the_end_is_refused(quiet: pathlib.Path, run: Run) -> None:
    assert run("replay", quiet, "--at", "60", "--output", "json")[:2] == (0, "[]\n")
    code, out, err = run("replay", quiet, "--at", "61")
    assert (code, out) == (exits.Exit.USAGE, "")
    assert "--at 61: the recording ends after 60.0 s" in err


@pytest.fixture
def clean(recordings: pathlib.Path) -> pathlib.Path:
    return recordings / "upgrade-1.3.0-1.4.0.jsonl.gz"


@pytest.mark.parametrize("output", ["table", "json", "metrics"])
def test_a_recording_gives_the_same_bytes_each_time(output: str, clean: pathlib.Path, run: Run) -> None:
    """Also in another process with another order of hashes, at another time, with colours demanded."""
    code, first, err = run("replay", clean, "--output", output)
    assert (code, err) == (0, "")
    environment = {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "FORCE_COLOR": "1", "COLUMNS": "40"}
    again = process("replay", clean, "--output", output, **environment)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout == first


def test_a_recording_gives_its_reports_as_json(clean: pathlib.Path, run: Run) -> None:
    [report] = json.loads(run("replay", clean, "--output", "json")[1])
    assert (report["fromVersion"], report["toVersion"], report["kind"]) == ("v1.3.0", "v1.4.0", "upgrade")
    assert report["startedAt"].endswith("Z")
    assert report["endedAt"] is None
    assert report["verdict"] is None


def test_a_moment_shows_what_was_known_then(clean: pathlib.Path, run: Run) -> None:
    [report] = json.loads(run("replay", clean, "--output", "json", "--at", "150")[1])
    assert report["phase"] == "control_plane"
    assert report["observedCompleteAt"] is None
    assert run("replay", clean, "--output", "json", "--at", "1")[1] == "[]\n"


def test_assumed_quiet_brings_a_session_to_its_end(clean: pathlib.Path, run: Run) -> None:
    [report] = json.loads(run("replay", clean, "--output", "json", "--assume-quiet-until-settled")[1])
    assert report["phase"] == "completed"
    assert report["verdict"] is not None
    assert report["observedUntil"] == report["endedAt"]


def test_a_page_can_be_parsed_and_holds_nothing_of_the_process(clean: pathlib.Path, run: Run) -> None:
    page = run("replay", clean, "--output", "metrics")[1]
    families = {family.name: family for family in parser.text_string_to_metric_families(page)}
    assert families["kubevirt_upgrade_in_progress"].samples[0].value == 1
    assert "process_cpu_seconds" not in families
    success = families["kubevirt_upgrade_exporter_source_success"].samples
    assert success
    assert all(sample.value == 1 for sample in success)


# --- documentation


@pytest.mark.parametrize(("command", "file"), [("metrics-docs", "metrics.md"), ("cli-docs", "cli.md")])
def test_a_generated_document_is_up_to_date(command: str, file: str, run: Run) -> None:
    """`make generate` writes it."""
    code, text, _ = run(command)
    assert code == 0
    assert REPOSITORY.joinpath("docs", file).read_text(encoding="utf-8") == text, "run `make generate`"


def test_the_width_of_the_terminal_does_not_change_a_document() -> None:
    assert process("cli-docs", COLUMNS="40").stdout == process("cli-docs", COLUMNS="200").stdout
