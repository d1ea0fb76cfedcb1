"""What an answer means: no data is never a pass, partial data says so, and a certain no stays a no."""

import pytest

from exporter.model.findings import Finding, State
from exporter.verify import asking
from exporter.verify.prometheus import Answer, QueryRefused, Series
from exporter.verify.questions import NoData, Otherwise, Question


def question(**changes: object) -> Question:
    base: dict[str, object] = {
        "id": "it", "question": "Is it so?", "query": "up", "passes": "== 0", "otherwise": Otherwise.FAILED,
        "no_data": NoData.INCONCLUSIVE, "because": "nobody looked",
    }  # fmt: skip
    return Question(**(base | changes))  # type: ignore[arg-type]


def series(*values: float) -> list[Series]:
    return [Series({"job": "kue", "part": str(number)}, [(0.0, value)]) for number, value in enumerate(values)]


def test_all_values_pass() -> None:
    finding = asking.judged(question(), Answer(series(0, 0)))
    assert (finding.state, finding.summary, finding.details) == (State.PASS, "Is it so? yes", ())


@pytest.mark.parametrize(
    ("otherwise", "state"),
    [(Otherwise.FAILED, State.FAIL), (Otherwise.WARNING, State.WARN), (Otherwise.INCONCLUSIVE, State.UNKNOWN)],
)
def test_one_that_does_not_pass_is_named(otherwise: Otherwise, state: State) -> None:
    finding = asking.judged(question(otherwise=otherwise, runbook="Page"), Answer(series(0, 2)), hidden=["job"])
    assert (finding.state, finding.summary) == (state, "Is it so? no")
    assert finding.details == ("part=1: 2", "runbook: Page")


def test_of_many_some_are_named() -> None:
    finding = asking.judged(question(), Answer(series(*[1] * 15)))
    assert len(finding.details) == 11
    assert finding.details[-1] == "... and 5 more"


@pytest.mark.parametrize(
    ("no_data", "state", "said"),
    [
        (NoData.INCONCLUSIVE, State.UNKNOWN, "no data: nobody looked"),
        (NoData.WARNING, State.WARN, "no data: nobody looked"),
        (NoData.NOT_APPLICABLE, State.PASS, "does not apply: nobody looked"),
        (NoData.NONE_FIRED, State.PASS, "yes: nobody looked"),
    ],
)
def test_nothing_means_what_the_question_says(no_data: NoData, state: State, said: str) -> None:
    finding = asking.judged(question(no_data=no_data), Answer([]))
    assert (finding.state, finding.summary) == (state, f"Is it so? {said}")


def test_too_few_series_are_not_a_pass() -> None:
    finding = asking.judged(question(series=4), Answer(series(0, 0)))
    assert (finding.state, finding.summary) == (State.UNKNOWN, "Is it so? only 2 of 4 series are there")


def test_a_partial_answer_is_not_a_pass() -> None:
    finding = asking.judged(question(), Answer(series(0), ("store 3 is away",)))
    assert finding.state is State.UNKNOWN
    assert "store 3 is away" in finding.summary


def test_a_no_in_a_partial_answer_is_a_no() -> None:
    assert asking.judged(question(), Answer(series(1), ("store 3 is away",))).state is State.FAIL


def test_nothing_in_a_partial_answer_is_not_taken_for_none() -> None:
    assert asking.judged(question(no_data=NoData.NONE_FIRED), Answer([], ("partial",))).state is State.UNKNOWN


def test_not_a_number_is_no_data() -> None:
    assert asking.judged(question(), Answer(series(float("nan")))).state is State.UNKNOWN
    assert asking.judged(question(), Answer(series(0, float("nan")))).state is State.UNKNOWN
    assert asking.judged(question(), Answer(series(1, float("nan")))).state is State.FAIL


def test_a_query_that_is_refused_is_not_a_pass() -> None:
    finding = asking.judged(question(), QueryRefused("HTTP 422: too many samples"))
    assert (finding.state, finding.summary) == (
        State.UNKNOWN,
        "Is it so? the query was refused: HTTP 422: too many samples",
    )


@pytest.mark.parametrize("otherwise", [Otherwise.FAILED, Otherwise.WARNING])
def test_a_no_before_its_time_means_nothing_yet(otherwise: Otherwise) -> None:
    early = Finding(check="over", state=State.UNKNOWN, summary="")
    finding = asking.judged(question(after="over", otherwise=otherwise), Answer(series(1)), awaited=early)
    assert (finding.state, finding.details) == (State.UNKNOWN, ("job=kue, part=0: 1",))
    assert finding.summary == "Is it so? not yet; it counts once `over` is answered with yes"
    assert asking.judged(question(after="over"), Answer(series(0)), awaited=early).state is State.PASS
    late = Finding(check="over", state=State.PASS, summary="")
    assert asking.judged(question(after="over"), Answer(series(1)), awaited=late).state is State.FAIL


@pytest.mark.parametrize("state", [State.UNKNOWN, State.FAIL, State.WARN])
def test_without_what_it_needs_a_yes_proves_nothing(state: State) -> None:
    needed = Finding(check="other", state=state, summary="")
    finding = asking.judged(question(needs="other"), Answer(series(0)), needed=needed)
    assert (finding.state, finding.summary) == (State.UNKNOWN, "Is it so? cannot tell without an answer to `other`")
    assert asking.judged(question(needs="other"), Answer(series(1)), needed=needed).state is State.FAIL


def test_a_no_when_another_target_was_set_may_have_become_a_yes() -> None:
    finding = asking.judged(question(after="over"), Answer(series(1)), superseded=True)
    assert (finding.state, finding.summary) == (State.UNKNOWN, "Is it so? not yet when another target was set")
    assert asking.judged(question(), Answer(series(1)), superseded=True).state is State.FAIL
    warning = question(after="over", otherwise=Otherwise.WARNING)
    assert asking.judged(warning, Answer(series(1)), superseded=True).state is State.WARN
