"""Every query of every dashboard, on a real Prometheus that holds every scenario and every recorded upgrade.

None may fail; each finds something exactly where there is something to find. What is rightly empty is listed here.
"""

import pathlib
from collections.abc import Iterator, Mapping

import pytest

from exporter import sim
from tests.alerts import expressions
from tests.dashboards import asking, fleet, reading
from tests.dashboards.asking import Choice
from tests.stories import Stories

REPLAYED = frozenset({*sim.names(), *fleet.RECORDINGS})
LIVE = frozenset({fleet.LIVE})
NOWHERE: frozenset[str] = frozenset()

UNFINISHED = {"recorded-stuck-handler", "stuck-handler", "storage-blocked"}
"""Their control plane is never done."""
INTERRUPTED = {"guest-evicted", "guest-oom", "node-lost", "update-eviction"}

ONLY_LIVE = (
    "process_", "kubevirt_upgrade_exporter_page", "kubevirt_upgrade_exporter_last_event",
    "kubevirt_upgrade_exporter_objects", "kubevirt_upgrade_exporter_malformed", "kubevirt_upgrade_exporter_received",
    "kubevirt_upgrade_exporter_watch", "kubevirt_upgrade_exporter_relists", "kubevirt_upgrade_probe_",
    "kubevirt_upgrade_virt_api_", "kubevirt_upgrade_manifest",
)  # fmt: skip
"""A replay has no process, no watches and no probes of its own."""
ONLY_IN_UPGRADES = ("kubevirt_upgrade_session_", "slo:")
"""The live cluster is not upgraded, and its one page measures nothing from one scrape to the next."""

WHERE = {
    # What happens in some upgrades only
    ("Control plane done", "A"): REPLAYED - UNFINISHED,
    ("Control plane done", "B"): frozenset(UNFINISHED),  # an estimate, as long as it is not done
    ("Guests left to update", "C"): frozenset(INTERRUPTED),
    ("Guests to look at", "A"): frozenset({*INTERRUPTED, "duplicate-launcher"}),
    ("Interruptions by reason", "A"): frozenset(INTERRUPTED),
    ("Live migrations", "B"): frozenset({"failing-migrations"}),
    ("Causes of failures", "A"): frozenset({"cluster-api-outage", "kubevirt-api-outage"}),
    ("Stored versions in the way", "A"): frozenset({fleet.LIVE, "skipped-minor", "storage-blocked"}),
    ("Nodes whose virt-handler is away", "A"): frozenset({"recorded-stuck-handler", "stuck-handler"}),
    ("Nodes whose virt-handler is away", "B"): frozenset({"recorded-stuck-handler", "stuck-handler"}),
    ("Nodes whose virt-handler is away", "C"): frozenset({"recorded-stuck-handler", "stuck-handler"}),
    # Guests are updated once a virt-controller of the target is there
    ("Guests by launcher", "A"): REPLAYED - UNFINISHED,
    ("Guests by launcher", "C"): frozenset({"clean-two-step", "recorded-staged"}),  # of before the last of two upgrades
    ("Guests left to update", "B"): REPLAYED - UNFINISHED - {"rollback", "update-eviction"},
    ("Migrations by version pair", "A"): REPLAYED - UNFINISHED - {"rollback"},  # which recreates nothing in its time
    # Without an upgrade, what there is counts as where one will begin
    ("From, to", "B"): LIVE,
    ("Guests by launcher", "B"): REPLAYED | LIVE,
    ("Pods by version", "C"): REPLAYED | LIVE,
    # Seldom seen at a step of a minute: pods of a DaemonSet or a Deployment that are not ready for some seconds
    ("Pods by version", "B"): REPLAYED - {"storage-blocked"},
    ("Pods by version", "D"): None,
    ("Pods that wait", "A"): None,
    # See ONLY_IN_UPGRADES
    ("Success", "A"): REPLAYED,
    ("Failures by kind of connection", "A"): REPLAYED,
    # Ends that a recording has once quiet is assumed after it
    ("Last upgrades", "F"): frozenset({fleet.QUIET}),
    ("Upgrade is over", "A"): frozenset({fleet.QUIET}),
    ("Guests done", "A"): REPLAYED - UNFINISHED - {"cluster-api-outage", "image-tag"},
    ("Control plane begins", "A"): REPLAYED - {"storage-blocked"},
    # No scenario has it
    ("Pods by version", "E"): NOWHERE,  # a version that is neither the old nor the new one
    ("Live migrations", "C"): NOWHERE,  # an outcome besides success and failure
    ("Live migrations", "D"): NOWHERE,  # a migration that fails as a virt-handler is replaced
    ("Versions lost in this upgrade", "A"): NOWHERE,
    ("Failed lists and watches", "A"): NOWHERE,
    ("Failures by kind of connection", "B"): NOWHERE,  # recordings hold reused connections only
    ("Late by", "A"): NOWHERE,  # there is no deadline before the first session
}
"""By panel and query, the clusters in which it finds something; None where moments decide. All others: see below."""


def expected(query: reading.Query) -> frozenset[str] | None:
    """Where it finds something."""
    if (query.panel, query.ref) in WHERE:
        return WHERE[query.panel, query.ref]
    names = [series.name for series in expressions.asked(reading.put_in(query.expr, {"cluster": "", "namespace": ""}))]
    if query.panel == "Verification of the last upgrade":
        return REPLAYED | LIVE
    if any(name.startswith(ONLY_LIVE) for name in names):
        return LIVE
    if any(name.startswith(ONLY_IN_UPGRADES) for name in names):
        return REPLAYED
    return REPLAYED | LIVE


@pytest.mark.timeout(400)
async def test_every_query_finds_what_there_is_and_nothing_else(
    stories: Stories, recordings: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    found = await asking.answered(await fleet.filled(tmp_path, stories, recordings))
    wrong = {}
    for query, answers in found.items():
        clusters = {choice.cluster for choice, count in answers.items() if count}
        if (there := expected(query)) is not None and clusters != there:
            wrong[str(query)] = {"missing": sorted(there - clusters), "unexpected": sorted(clusters - there)}
        for cluster in (*REPLAYED, fleet.LIVE):
            assert answers[Choice(cluster, ".*")] == answers[Choice(cluster, fleet.NAMESPACE)], query
    assert wrong == {}
    assert list(nameless_columns(found)) == []


def nameless_columns(found: Mapping[reading.Query, Mapping[Choice, int]]) -> Iterator[str]:
    """Where one query of a table finds something alone, Grafana does not say which one: it must be the first."""
    for board in reading.BOARDS.values():
        for panel in reading.panels(board):
            if panel["type"] == "table":
                queries = [query for query in found if (query.board, query.panel) == (board["uid"], panel["title"])]
                for choice in found[queries[0]]:
                    answering = [query.ref for query in queries if found[query][choice]]
                    if len(answering) == 1 and answering != ["A"]:
                        yield f"{panel['title']} {answering} {choice}"


def test_the_list_of_what_is_rightly_empty_names_queries_that_exist() -> None:
    known = {(query.panel, query.ref) for query in (*reading.queries(), *reading.annotations())}
    assert set(WHERE) - known == set()


@pytest.mark.parametrize("cluster", [*fleet.RECORDINGS, *sim.names()])
def test_no_cluster_is_left_out(cluster: str) -> None:
    assert cluster in REPLAYED
