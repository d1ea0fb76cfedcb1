"""The questions themselves: well-formed, about metrics that exist, with pages for those who need help."""

import pathlib

import promql_parser
import pytest

import exporter
from exporter import app, fold, settings
from exporter.cli import verify_docs
from exporter.exposition import own, registry
from exporter.journal.source import JournalSource
from exporter.preflight.standing import Standing
from exporter.probes.source import ProbesSource
from exporter.verify import questions
from tests.conftest import REPOSITORY

QUESTIONS = [question for group in questions.load() for question in group.queries]
LABELS = {"cluster": 'a "b"', "namespace": "c"}
ENTRY = """
groups:
- group: g
  about: a
  queries:
  - {id: one, question: q, query: up, passes: "== 0", otherwise: failed, no_data: inconclusive, because: b}
"""


def published() -> dict[str, tuple[str, ...]]:
    """Every metric that a query may name, and its labels."""
    folded = fold.Fold(settings.Settings(), exporter_version=exporter.__version__)
    page = app.page_of(
        folded,
        own.OwnSource(version="", resources=tuple),
        ProbesSource(),
        JournalSource(),
        Standing(folded.view, now=lambda: 0.0),
    )
    families = [*registry.FAMILIES, *(family for source in page.sources for family in source.families)]
    return {family.exposed_name: family.labels for family in families}


def selectors(text: str) -> list[promql_parser.VectorSelector]:
    found: list[promql_parser.VectorSelector] = []
    waiting: list[object] = [promql_parser.parse(text)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        inner = (getattr(node, name, None) for name in ("expr", "lhs", "rhs", "vector_selector", "vs", "param"))
        waiting.extend(part for part in inner if part is not None and not isinstance(part, str | float))
        waiting.extend(getattr(node, "args", None) or ())
    return found


def test_the_copy_in_the_package_is_the_file() -> None:
    copy = pathlib.Path(questions.__file__).with_name("verification.yaml")
    assert copy.read_text() == (REPOSITORY / "alerts" / "verification.yaml").read_text(), "run `make generate`"


def test_the_page_is_up_to_date() -> None:
    assert (REPOSITORY / "docs" / "verify.md").read_text() == verify_docs.markdown(), "run `make generate`"


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.id)
def test_it_asks_of_metrics_that_exist_with_labels_that_they_have(question: questions.Question) -> None:
    known = published()
    found = selectors(questions.query(question, seconds=600, labels={}))
    assert found
    for selector in found:
        if selector.name == "ALERTS":
            continue
        assert selector.name in known
        assert {matcher.name for matcher in selector.matchers.matchers} <= set(known[selector.name])


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.id)
def test_labels_narrow_every_series(question: questions.Question) -> None:
    for selector in selectors(questions.query(question, seconds=600, labels=LABELS)):
        matchers = {matcher.name: matcher.value for matcher in selector.matchers.matchers}
        assert matchers.items() >= LABELS.items()


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.id)
def test_it_has_a_runbook_that_exists(question: questions.Question) -> None:
    if question.runbook:
        assert (REPOSITORY / "alerts" / "runbooks" / f"{question.runbook}.md").is_file()
    assert question.question.endswith("?")


def test_every_objective_is_asked_about() -> None:
    text = "".join(question.query for question in QUESTIONS if question.id.startswith("budget-"))
    assert {name for name in ("api_availability", "vmi_continuity", "rollout", "workload_freshness",
                              "leader_handover", "retention") if f'slo="{name}"' not in text} == set()  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("== 0", "is 0"), "one: passes: 'is 0' is not like '== 0'"),
        (("otherwise: failed", "otherwise: perhaps"), "Invalid enum value 'perhaps'"),
        (("because: b", "why: b"), "unknown field `why`"),
        (("because: b", "because: b, needs: two"), "one: two is not asked before"),
        (("query: up, ", ""), "missing required field `query`"),
        (("- group: g", "- [group"), "verification.yaml: "),
    ],
)
def test_a_wrong_file_is_refused(change: tuple[str, str], said: str) -> None:
    assert len(questions.load(ENTRY)) == 1
    with pytest.raises(ValueError, match=r"verification\.yaml|one:") as refusal:
        questions.load(ENTRY.replace(*change))
    assert said in str(refusal.value)


def test_two_of_one_name_are_refused() -> None:
    twice = ENTRY + ENTRY.splitlines()[-1]
    with pytest.raises(ValueError, match="one: there are two"):
        questions.load(twice)


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [("== 0", 0, True), ("== 0", 1, False), (">= 0.95", 0.95, True), ("<= 300", 301, False), ("> 0", 0, False),
     ("< 1", 0.5, True), ("== 0", float("nan"), False), ("<= 1", float("nan"), False)],
)  # fmt: skip
def test_conditions(text: str, value: float, *, holds: bool) -> None:
    [group] = questions.load(ENTRY.replace("== 0", text))
    assert group.queries[0].condition.holds(value) is holds


def test_the_time_of_the_session_is_put_in() -> None:
    [group] = questions.load(ENTRY.replace("query: up", "query: 'rate(up[$__range]) / $__range_s'"))
    assert questions.query(group.queries[0], seconds=90.4, labels={}) == "rate(up[90s]) / 90"
    assert questions.query(group.queries[0], seconds=3, labels={}) == "rate(up[60s]) / 60"


def test_of_a_session_that_was_superseded_the_last_words_so_far_count() -> None:
    text = 'max(kubevirt_upgrade_session_end_timestamp_seconds) + kubevirt_upgrade_session_verdict{verdict="failed"}'
    [group] = questions.load(ENTRY.replace("query: up", f"query: '{text}'"))
    sent = questions.query(group.queries[0], seconds=90, labels={"cluster": "a"}, superseded=True)
    assert sent == (
        'max(kubevirt_upgrade_session_start_timestamp_seconds{cluster="a"})'
        ' + kubevirt_upgrade_session_verdict_so_far{cluster="a", verdict="failed"}'
    )
