"""The page as text: each scene says what it must, nothing leaks in, nothing is loaded from elsewhere."""

import base64
import hashlib
import re

import msgspec
import pytest

from exporter.model import report as r, resources
from exporter.model.changes import Sync
from exporter.report import slos
from exporter.web import page
from tests.unit.web import scenes
from tests.unit.web.test_markup import read

ALL = len(resources.RESOURCES)
HOSTILE = "<script>alert(1)</script><img src=x onerror='a' style=\"b\">"


def text_of(name: str) -> str:
    """All that a scene's page says, on one line."""
    reports, status = scenes.SCENES[name]
    return text(page.render(reports, status))


def text(source: str) -> str:
    body = re.sub(r"<(script|style)>.*?</\1>", "", source, flags=re.DOTALL)
    return " ".join(read(re.sub("<", " <", body)).text.split())


def of(report: r.Report, *, later: float = 130) -> str:
    return text(page.render([report], scenes.status(scenes.START + later)))


def test_before_everything_is_listed_it_says_so() -> None:
    assert f"Starting Listing the cluster {ALL - 2} of {ALL} resources are known so far." in text_of("starting")


def test_with_nothing_observed_it_watches() -> None:
    said = text_of("idle")
    assert "Watching No session seen yet" in said
    assert "All resources" in said
    assert "History" not in said


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ({resources.KUBEVIRTS: Sync.FORBIDDEN}, "Blind May not read KubeVirt"),
        ({resources.KUBEVIRTS: Sync.ABSENT}, "Watching No KubeVirt here"),
    ],
)
def test_where_kubevirt_is_not_to_be_seen_it_says_so(odd: dict[str, Sync], said: str) -> None:
    assert said in text(page.render([], scenes.status(scenes.START, odd=odd)))


def test_an_upgrade_under_way() -> None:
    said = text_of("under-way")
    for part in (
        "On track Upgrade v1.3.0 → v1.4.0 No objective missed so far. Verdict if it ended now: inconclusive.",
        "Control plane 46 % Preparing Control plane Guests Settling Over",
        "Started 08:53:20 UTC 2 min 10 s ago",
        "virt-operator v1.3.0 → v1.4.0 2/2 ✓ done in 29 s",
        "virt-handler v1.3.0 → v1.4.0 2/5 • rolling for 1 min 1 s 1 new, not ready",
        "virt-api v1.3.0 → v1.4.0 0/2 waits for its turn",
        "running at the start 60 live migrated 0 interrupted 0 outdated now unknown stranded unknown",
        "subresource-version reused connection ! 2 s http 5xx 2",
        "! 1 disrupted 4 probes, each measured for 0 s at least.",
        "list-vms reused connection ? not measured",
        "virt-operator 1 17.6 s 17.6 s",
        "Rollout complete within 1500 s, no stall over 900 s 8 % • open",
        f"{ALL} of {ALL} resources are current.",
        "v1.2.0 → v1.3.0 upgrade 2025-08-30 08:53:20 UTC 23 min 20 s 100 % 0 2 s ✓ passed",
    ):
        assert part in said


def test_a_failure_is_named_with_its_guests() -> None:
    said = text_of("failed")
    for part in (
        "✕ Failed Upgrade v1.3.0 → v1.4.0 Objective missed: guest continuity.",
        "✕ critical 2 guests interrupted (out_of_memory 2)",
        "team-a/vm-a1 out of memory 08:54:40 UTC",
        "and 3 more that are not named",
        "✕ stalled 1 new, not ready, 7 restarts",
        "no guest interrupted, no duplicate launcher 200 % ✕ missed",
        "Interrupted guests were away for 1 min 23 s, all together.",
        "Not observed: 1 min 15 s of the session.",
        f"! 2 not current {ALL - 3} of {ALL} resources are current, 1 not in this cluster.",
        "! watch is cut leases.coordination.k8s.io",
        "✕ not permitted nodes",
    ):
        assert part in said


def test_who_sees_nothing_does_not_say_that_all_is_well() -> None:
    said = text_of("blind")
    away = "The cluster's API does not answer us: nothing heard for 1 min 33 s. What you see was true at 08:55:30 UTC."
    for part in (
        f"? Blind Upgrade v1.3.0 → v1.4.0 {away} Control plane 46 %",
        f"! {ALL} not current 0 of {ALL} resources are current. ! watch is cut kubevirts.kubevirt.io, deployments",
        f"and {ALL - 5} more All resources",
        "cluster was away 2 probes, each measured for 2 min at least. The whole cluster's API was away for 1 min 21 s:",
        "not charged to KubeVirt. Whose fault the last 12 s are is not settled yet. All probes Probe Disruption",
        "apiserver-readyz reused connection ✓ none connect 93 1 min 21 s whole cluster, 12 s not settled yet",
        "? blind v1.2.0 → v1.3.0",
    ):
        assert part in said
    assert "On track" not in said
    source = page.render(*scenes.SCENES["blind"])
    assert "<title>46 % Blind · v1.3.0 → v1.4.0</title>" in source


def test_a_watch_that_was_cut_a_moment_ago_alarms_nobody() -> None:
    for heard, odd in ((2.0, None), (400.0, {resources.LEASES: Sync.INTERRUPTED})):
        status = scenes.cut(scenes.START + 130, heard=heard)
        if odd is not None:
            status = scenes.status(scenes.START + 130, odd=odd)
        said = text(page.render([scenes.UNDER_WAY], status))
        assert "On track" in said
        assert "lind" not in said


def test_a_watch_that_is_cut_for_long_is_named_at_the_top() -> None:
    whole = scenes.status(scenes.START + 500)
    quiet = tuple(
        msgspec.structs.replace(watched, sync=Sync.INTERRUPTED, last_event_at=scenes.START + 300)
        if watched.resource == resources.VMIS
        else watched
        for watched in whole.resources
    )
    said = text(page.render([scenes.UNDER_WAY], msgspec.structs.replace(whole, resources=quiet)))
    assert "inconclusive. ! not current virtualmachineinstances.kubevirt.io: the watch is cut. Control plane" in said


def test_blind_after_a_session_or_before_the_first_it_does_not_claim_to_watch() -> None:
    status = scenes.cut(scenes.START + 9000, heard=60)
    said = text(page.render([scenes.PASSED], status))
    assert "✓ Passed Upgrade" in said
    assert "? blind The cluster's API does not answer us: nothing heard for 1 min." in said
    assert "Over. Whether another one is under way cannot be seen." in said
    assert "Blind No session seen yet The cluster's API does not answer us" in text(page.render([], status))
    assert "<title>Blind · KubeVirt upgrades</title>" in page.render([scenes.PASSED], status)


def test_a_failed_session_says_too_that_it_stands_still() -> None:
    why = "Objective missed: guest continuity. virt-handler makes no progress: not ready on worker-3."
    assert f"Failed Upgrade v1.3.0 → v1.4.0 {why}" in text_of("failed")


def test_a_session_that_is_over_stays_until_the_next() -> None:
    said = text_of("passed")
    assert "✓ Passed Upgrade v1.3.0 → v1.4.0 Every deciding objective was observed and met." in said
    assert "Control plane 100 % Guests updated 59/60" in said
    assert "Over. No session is under way; watching." in said
    assert "Control plane complete 08:58:36 UTC after 5 min 16 s" in said


@pytest.mark.parametrize(
    ("phase", "said"),
    [
        (r.Phase.SUPERSEDED, "Superseded by another target."),
        (r.Phase.DROPPED, "Dropped: nothing followed virt-operator."),
    ],
)
def test_an_end_that_is_no_completion_is_named(phase: r.Phase, said: str) -> None:
    assert said in of(msgspec.structs.replace(scenes.PASSED, phase=phase))


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (msgspec.structs.replace(scenes.UNDER_WAY, stalled=("virt-api",)), "Stalled Upgrade"),
        (msgspec.structs.replace(scenes.UNDER_WAY, findings=scenes.FAILED.findings), "In trouble Upgrade"),
        (scenes.judged(scenes.UNDER_WAY, slos.LEADER, 0.9, r.SloState.AT_RISK), "At risk Upgrade"),
        (scenes.judged(scenes.UNDER_WAY, slos.API, None, r.SloState.UNKNOWN), "Cannot tell Upgrade"),
        (msgspec.structs.replace(scenes.UNDER_WAY, verdict=r.Verdict.INCONCLUSIVE), "Inconclusive Upgrade"),
    ],
)
def test_what_speaks_against_a_good_end_is_the_first_word(report: r.Report, said: str) -> None:
    assert said in of(report)


def test_what_was_not_observed_is_unknown_and_not_zero() -> None:
    blind = msgspec.structs.replace(
        scenes.UNDER_WAY,
        from_version=None,
        continuity=msgspec.structs.replace(scenes.UNDER_WAY.continuity, baseline=None),
        components=(scenes.component("virt-handler", desired=None, updated=None, ready=None, from_version=None),),
        leadership=(),
        api=r.ApiReport(),
        retention=r.Retention(objects={}),
    )
    said = of(blind)
    for part in (
        "unknown → v1.4.0",
        "running at the start unknown",
        "virt-handler unknown → v1.4.0 unknown",
        "No lease was observed: unknown.",
        "No probe has reported: unknown.",
        "No resource was counted: unknown.",
    ):
        assert part in said


def test_no_text_of_a_cluster_becomes_markup() -> None:
    """Every text of a report, replaced by hostile markup, changes no element of the page."""
    reports, status = scenes.SCENES["failed"]
    hostile = [msgspec.convert(_poisoned(msgspec.to_builtins(report)), r.Report) for report in reports]
    harmless = [msgspec.convert(_poisoned(msgspec.to_builtins(report), "x"), r.Report) for report in reports]
    got, expected = read(page.render(hostile, status)), read(page.render(harmless, status))
    assert HOSTILE in got.text
    assert [tag for tag, _ in got.elements] == [tag for tag, _ in expected.elements]
    for (_, attributes), (_, same) in zip(got.elements, expected.elements, strict=True):
        assert [name for name, _ in attributes] == [name for name, _ in same]


def _poisoned(value: object, text: str = HOSTILE) -> object:
    """Each text but those of enumerations, whose values are ours."""
    enumerated = {"kind": r.SessionKind, "phase": r.Phase, "verdict": r.Verdict, "verdictSoFar": r.Verdict}
    enumerated |= {"severity": r.Severity, "state": r.SloState}
    match value:
        case dict():
            return {
                name: inner if name in enumerated and inner in list(enumerated[name]) else _poisoned(inner, text)
                for name, inner in value.items()
            }
        case list() | tuple():
            return [_poisoned(inner, text) for inner in value]
        case str():
            return text
        case _:
            return value


@pytest.mark.parametrize("name", scenes.SCENES)
def test_the_policy_covers_the_page_and_nothing_else(name: str) -> None:
    source = page.render(*scenes.SCENES[name])
    policy = dict(directive.split(" ", 1) for directive in page.policy().split("; "))
    assert policy["default-src"] == "'none'"
    for tag in ("style", "script"):
        [inline] = re.findall(rf"<{tag}>(.*?)</{tag}>", source, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert policy[f"{tag}-src"] == f"'sha256-{digest}'"
    attributes = [pair for _, pairs in read(source).elements for pair in pairs]
    assert not [name for name, _ in attributes if name == "style" or name.startswith("on")]
    addresses = [value for name, value in attributes if name in ("href", "src", "action") and value]
    assert {address for address in addresses if not address.startswith("data:")} == {"api/v1/upgrades", "metrics"}


@pytest.mark.parametrize("name", scenes.SCENES)
def test_every_element_is_closed_and_ids_are_unique(name: str) -> None:
    source = page.render(*scenes.SCENES[name])
    for tag in ("section", "table", "tr", "td", "dl", "div", "p", "ul", "li", "details", "main", "body"):
        assert len(re.findall(rf"<{tag}[ >]", source)) == source.count(f"</{tag}>")
    ids = [value for _, pairs in read(source).elements for name, value in pairs if name == "id"]
    assert len(ids) == len(set(ids))


def test_the_page_looks_again_sooner_while_something_happens() -> None:
    assert 'data-refresh="2"' in page.render(*scenes.SCENES["under-way"])
    assert 'data-refresh="10"' in page.render(*scenes.SCENES["idle"])


def test_the_tab_tells_the_state() -> None:
    assert "<title>46 % On track · v1.3.0 → v1.4.0</title>" in page.render(*scenes.SCENES["under-way"])
    assert "<title>Watching · KubeVirt upgrades</title>" in page.render(*scenes.SCENES["passed"])
