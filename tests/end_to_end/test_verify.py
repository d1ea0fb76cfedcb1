"""`verify` on a real Prometheus that holds recorded upgrades and every scenario, each as a cluster of its own.

The pages are those of `replay --output openmetrics`, to the end of the session where it has one. That alerts were
evaluated is put beside them by hand; what they would have been is tested with the alerts.
"""

import pathlib
import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from exporter import cli, sim
from exporter.exposition.history import History
from exporter.fold import Fold
from exporter.model.changes import Change
from exporter.model.report import Phase, Report, Verdict
from exporter.recording import quiet, reader, replay
from exporter.report import decode
from exporter.settings import Settings
from tests.end_to_end import monitoring
from tests.end_to_end.backfill import Pages
from tests.stories import Stories

STEP = 60
RECORDINGS = {
    "clean-recording": "upgrade-1.3.0-1.4.0",
    "staged-recording": "upgrade-1.2.0-1.3.0-1.4.0-staged",
    "stuck-recording": "upgrade-1.3.0-1.4.0-stuck-handler",
}
ENDLESS = {"stuck-handler", "storage-blocked", "stuck-recording"}
"""Their sessions do not end: what is known is what was seen."""
HALF = "half"
"""The clean recording, of which Prometheus has only the first half."""
REPLICAS = {"clean": "a", "guest-oom": "b"}
"""Two replicas, cluster `replicas`, of which one has seen a guest die."""
LEADERLESS = "leaderless"
"""The clean recording, and nobody who renews a lease after it."""
UNRULED = "stuck-recording"
"""Where no alert was evaluated."""
PATIENCE = 30.0

LEFT_BEHIND = {"stranded": "warn"}
FAILED = {"verdict-failed": "fail"} | LEFT_BEHIND
UNDER_WAY = {
    "over": "unknown", "observed-complete": "unknown", "reported-complete": "unknown",
    "verdict-inconclusive": "unknown", "versions": "unknown", "ready": "unknown", "skew": "unknown",
    "leaders": "unknown", "conditions": "unknown", "budgets-known": "unknown",
}  # fmt: skip
ALERTS = dict.fromkeys(("alerts-evaluated", "alerts-critical", "alerts-warning"), "unknown")
EXPECTED: dict[str, tuple[int, dict[str, str]]] = {
    "clean": (0, LEFT_BEHIND),
    "clean-two-step": (0, LEFT_BEHIND),
    "cluster-api-outage": (0, LEFT_BEHIND | {"restarts": "warn", "cluster-api": "warn"}),
    "definition-deleted": (1, FAILED | {"budget-retention": "fail", "lost": "fail", "recreated": "warn"}),
    "duplicate-launcher": (1, FAILED | {"budget-continuity": "fail", "duplicates": "fail"}),
    "failing-migrations": (0, LEFT_BEHIND | {"budget-freshness": "warn", "migrations": "warn"}),
    "guest-evicted": (1, FAILED | {"budget-continuity": "fail", "interrupted": "fail"}),
    "guest-oom": (1, FAILED | {"budget-continuity": "fail", "interrupted": "fail"}),
    "guest-restarted": (0, LEFT_BEHIND),
    "image-tag": (0, LEFT_BEHIND | {"operator": "warn", "skew": "warn"}),
    "kubevirt-api-outage": (1, FAILED | {"budget-api": "fail", "disruption": "warn"}),
    "no-leader": (1, FAILED | {"budget-leaders": "fail"}),
    "node-lost": (1, FAILED | {"budget-continuity": "fail", "interrupted": "fail"}),
    "rollback": (0, {"path": "warn"}),
    "skipped-minor": (0, LEFT_BEHIND | {"path": "warn"}),
    "storage-blocked": (2, UNDER_WAY | {"leftovers": "unknown", "next-upgrade": "warn"}),
    "stranded": (0, LEFT_BEHIND),
    "stuck-handler": (2, UNDER_WAY | {"handlers": "unknown"}),
    "stuck-image-pull": (0, LEFT_BEHIND),
    "update-eviction": (0, {"evicted": "warn"}),
    "clean-recording": (0, LEFT_BEHIND | {"kubernetes": "warn"}),
    "staged-recording": (0, LEFT_BEHIND | {"kubernetes": "warn"}),
    "stuck-recording": (2, UNDER_WAY | ALERTS | {"handlers": "unknown", "kubernetes": "warn"}),
    LEADERLESS: (1, FAILED | {"budget-leaders": "fail", "leaderless": "fail", "kubernetes": "warn"}),
    HALF: (2, UNDER_WAY | {"handlers": "unknown", "kubernetes": "warn"}),
}
"""Exit code, and every question that was not answered with yes."""


class Filled(NamedTuple):
    """A Prometheus that holds them all."""

    url: str
    ends: dict[str, float]
    """The last moment of each, by cluster."""
    reports: dict[str, list[Report]]
    """What the fold says."""


class _NobodyLeads(quiet.Quiet):
    def observe(self, change: Change) -> None:
        """Leases are not followed, so that none is renewed."""


def played(name: str, path: pathlib.Path) -> tuple[Pages, list[Report]]:
    """A recording's pages and reports."""

    def fail(source: str, error: Exception) -> None:
        pytest.fail(f"{source}: {error!r}")

    with reader.Recording(path) as recording:
        fold = Fold(Settings(), exporter_version="test")
        history = History(fold, version="test", started=recording.started, step=STEP, on_failure=fail)
        at = 220.0 if name == HALF else None
        silence = None if name in ENDLESS or name == HALF else _NobodyLeads() if name == LEADERLESS else quiet.Quiet()
        now = replay.replay(recording, history, at=at, quiet=silence)
        history.end(now)
    return Pages(b"".join(history.text()).decode(), cluster=name), fold.reports(now)


def everything(stories: Stories, recordings: pathlib.Path) -> Iterator[tuple[Pages, list[Report]]]:
    for name in sim.names():
        yield played(name, stories.recording(name))
    for name, file in RECORDINGS.items():
        yield played(name, recordings / f"{file}.jsonl.gz")
    for name in (HALF, LEADERLESS):
        yield played(name, recordings / f"{RECORDINGS['clean-recording']}.jsonl.gz")


def evaluated(pages: Pages) -> Iterator[str]:
    """That rules were evaluated: an alert that fires in every session."""
    first, last = pages.span
    labels = (
        f'cluster="{pages.cluster}",alertname="KubeVirtUpgradeInProgress",alertstate="firing",severity="info",'
        'kubernetes_operator_part_of="kubevirt"'
    )
    yield from (f"ALERTS{{{labels}}} 1 {at}\n" for at in range(int(first) + 1, int(last), STEP))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, stories: Stories, recordings: pathlib.Path) -> Iterator[Filled]:
    folder = tmp_path_factory.mktemp("prometheus")
    program = monitoring.program("prometheus")
    ends: dict[str, float] = {}
    reports: dict[str, list[Report]] = {}
    with (folder / "pages").open("w") as file:
        for pages, told in everything(stories, recordings):
            file.writelines(f"{line}\n" for line in pages.labelled)
            if pages.cluster != UNRULED:
                file.writelines(evaluated(pages))
            if (pod := REPLICAS.get(pages.cluster)) is not None:
                replica = pages._replace(cluster=f'replicas",pod="{pod}",instance="{pod}')
                file.writelines(f"{line}\n" for line in replica.labelled)
                file.writelines(evaluated(replica))
                ends["replicas"] = pages.span[1]
            ends[pages.cluster], reports[pages.cluster] = pages.span[1], told
        file.write("# EOF\n")
    blocks = [monitoring.program("promtool"), "tsdb", "create-blocks-from", "openmetrics", "pages", "data"]
    subprocess.run(blocks, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    address = f"127.0.0.1:{monitoring.free_port()}"
    (folder / "prometheus.yaml").write_text("{}")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "--config.file=prometheus.yaml", "--storage.tsdb.path=data", "--storage.tsdb.retention.time=10y",
             f"--query.lookback-delta={STEP + 5}s",  # pages cannot say that a series has ended
             f"--web.listen-address={address}"],
            cwd=folder, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        _ready(address, folder / "log")
        yield Filled(f"http://{address}", ends, reports)
    finally:
        process.terminate()
        process.wait()


def _ready(address: str, log: pathlib.Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://{address}/-/ready", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    pytest.fail(f"Prometheus does not come up:\n{log.read_text()}")


Verify = Callable[..., tuple[int, str, str]]


@pytest.fixture
def verify(filled: Filled, capsysbinary: pytest.CaptureFixture[bytes]) -> Verify:
    """Runs the command against a cluster; gives exit code, output and errors."""

    def verify(cluster: str, *arguments: str) -> tuple[int, str, str]:
        label = ["--label", f"cluster={cluster}"] if cluster else []
        until = [] if "--to" in arguments else ["--to", str(filled.ends.get(cluster, max(filled.ends.values())))]
        code = cli.main(["verify", "--prometheus", filled.url, *label, *until, *arguments])
        shown = capsysbinary.readouterr()
        return code, shown.out.decode(), shown.err.decode()

    return verify


def states(output: str) -> dict[str, str]:
    """The questions of a table that were not answered with yes."""
    rows = re.findall(r"^  (FAIL|WARN|UNKNOWN) +([a-z-]+) ", output, flags=re.MULTILINE)
    return {name: state.lower() for state, name in rows}


@pytest.mark.parametrize("cluster", EXPECTED)
def test_what_happened_is_what_is_found(cluster: str, verify: Verify) -> None:
    code, output, errors = verify(cluster)
    assert errors == ""
    assert (code, states(output)) == EXPECTED[cluster], output


def test_every_scenario_is_there() -> None:
    assert set(EXPECTED) == {*sim.names(), *RECORDINGS, HALF, LEADERLESS}


def test_half_a_session_is_inconclusive_and_says_what_is_missing(verify: Verify) -> None:
    code, output, _ = verify(HALF)
    assert code == 2
    assert "INCONCLUSIVE" in output.partition("\n")[0]
    assert "no data: it is still under way" in " ".join(output.split())


def test_without_alert_rules_it_cannot_be_told_whether_an_alert_fired(verify: Verify) -> None:
    output = " ".join(verify(UNRULED)[1].split())
    assert "KubeVirtUpgradeInProgress, which fires in every session, did not" in output
    assert "Did no critical alert of KubeVirt fire? cannot tell without an answer to `alerts-evaluated`" in output


def test_a_time_within_a_session_can_be_judged(verify: Verify, filled: Filled) -> None:
    [report] = filled.reports["clean"]
    code, output, _ = verify("clean", "--from", str(report.started_at), "--to", str(report.started_at + 120))
    assert code == 2
    assert states(output)["over"] == "unknown"


def test_every_session_can_be_named(verify: Verify, filled: Filled) -> None:
    code, output, _ = verify("staged-recording", "--list")
    names = [line.split()[0] for line in output.splitlines()]
    assert code == 0
    assert [name.partition("-v")[2] for name in names] == ["1.3.0", "1.4.0"]
    first, second = filled.reports["staged-recording"]
    for name, report in zip(names, (first, second), strict=True):
        output = verify("staged-recording", "--session", name)[1]
        assert output.startswith(f"Verification of {report.from_version} to {report.to_version}, {name}: ")
    assert verify("staged-recording", "--session", "v1.3.0")[1].startswith("Verification of v1.2.0 to v1.3.0")
    code, output, errors = verify("staged-recording", "--session", "v1.9.0")
    assert (code, output) == (3, "")
    assert f"there are: {', '.join(names)}" in errors


SUPERSEDED = {"staged-recording": "v1.3.0", "clean-two-step": "v1.3.0", "rollback": "v1.4.0"}
"""By cluster, the session that another one superseded."""


@pytest.mark.parametrize("cluster", SUPERSEDED)
def test_a_session_that_was_superseded_is_over_and_gets_its_reports_verdict(
    cluster: str, verify: Verify, filled: Filled
) -> None:
    target = SUPERSEDED[cluster]
    [report] = [each for each in filled.reports[cluster] if each.to_version == target]
    assert report.phase is Phase.SUPERSEDED
    code, output, _ = verify(cluster, "--session", target)
    assert code == {Verdict.PASSED: 0, Verdict.INCONCLUSIVE: 2}[Verdict(report.verdict or "")]
    assert "over" not in states(output)
    code, output, _ = verify(cluster, "--list")
    assert re.search(rf"-{target}  .* to {target}  superseded ", output)


def test_two_clusters_at_once_are_refused(verify: Verify) -> None:
    code, output, errors = verify("")
    assert (code, output) == (3, "")
    assert "exporters answer" in errors
    assert "{cluster=clean}" in errors


def test_before_anything_was_scraped_there_is_no_session(verify: Verify) -> None:
    code, output, errors = verify("clean", "--to", "2026-01-01T00:00:00Z")
    assert (code, output) == (2, "")
    assert "there is nothing of the exporter in the 168 h before 2026-01-01 00:00:00Z" in errors


def test_before_a_session_began_there_was_none(verify: Verify, filled: Filled) -> None:
    [report] = filled.reports["clean"]
    code, output, errors = verify("clean", "--to", str(report.started_at - 1))
    assert (code, output) == (2, "")
    assert "saw no session" in errors


def test_the_report_agrees_with_that_of_the_fold(verify: Verify, filled: Filled) -> None:
    """Whatever it says is the same; what metrics do not tell is null or left out."""
    code, output, _ = verify("clean-recording", "--output", "json")
    assert code == 0
    [got], [expected] = decode.reports(output.encode()), filled.reports["clean-recording"]
    assert got.verdict is Verdict.PASSED
    same = (
        "from_version", "to_version", "kind", "phase", "progress", "stalled", "continuity", "migrations", "leadership",
        "observed_complete_at", "reported_complete_at", "workloads_complete_at", "ended_at", "started_at", "retention",
    )  # fmt: skip
    left = {name: _rounded(getattr(got, name)) for name in same}
    assert left == {name: _rounded(getattr(expected, name)) for name in same}
    assert [c.name for c in got.components] == sorted(c.name for c in expected.components)
    assert {p.probe: p.measured_seconds for p in got.api.probes} == {
        p.probe: p.measured_seconds for p in expected.api.probes
    }
    assert {s.slo: s.state for s in got.slos} == {s.slo: s.state for s in expected.slos}
    assert {finding.check for finding in got.findings} >= {"over", "budget-api", "lost"}


def _rounded(value: Any) -> Any:  # noqa: ANN401 - any field of a report
    return round(value, 2) if isinstance(value, float) else value


def test_markdown_is_for_a_ticket(verify: Verify) -> None:
    code, output, _ = verify("guest-oom", "--output", "markdown")
    assert code == 1
    assert output.startswith("## Verification of v1.3.0 to v1.4.0, 20261118-110710-v1.4.0: FAILED\n")
    assert "| **fail** | `interrupted` |" in output


def test_of_two_replicas_the_worse_counts(verify: Verify) -> None:
    code, output, errors = verify("replicas")
    assert (code, errors) == (1, "")
    assert states(output) == EXPECTED["guest-oom"][1]
    [report] = decode.reports(verify("replicas", "--output", "json")[1].encode())
    assert report.continuity.baseline == 20
    assert report.continuity.interrupted.by_reason == {"out_of_memory": 1}


def test_waiting_ends_at_the_deadline(filled: Filled, capsys: pytest.CaptureFixture[str]) -> None:
    """What was over before is not waited for; what there is then is judged, here nothing."""
    arguments = ["--label", "cluster=clean", "--wait", "--deadline", "1", "--lookback", "60"]
    assert cli.main(["verify", "--prometheus", filled.url, *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "no session is under way; waiting for one to begin" in shown.err
    assert "the deadline has passed; judging what there is" in shown.err
