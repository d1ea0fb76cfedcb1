"""`verify-docs`: prints docs/verify.md, which lists all questions."""

import sys
from collections.abc import Iterator
from typing import Final

import click

from exporter.cli import exits
from exporter.verify import questions
from exporter.verify.questions import NoData, Question

_INTRODUCTION: Final = """\
<!-- Written by `make generate` from alerts/verification.yaml; do not edit. -->
# Verify: did the upgrade go well?

    kubevirt-upgrade-exporter verify --prometheus http://prometheus.monitoring:9090

It asks the Prometheus that scrapes the exporter, and needs no access to the cluster. Left alone, it judges the last
session.

| exit code | meaning |
|---|---|
| 0 | passed: every question that decides was answered with yes |
| 1 | failed: one was answered with no |
| 2 | inconclusive: one could not be answered, or there is no session; the finding says which and why |
| 3 | a flag, the address or the credentials are wrong |
| 4 | Prometheus cannot be reached, or something else answers |

| to | use |
|---|---|
| judge an earlier session | `--list`, then `--session 20260819-091203` or `--session v1.4.0` |
| judge a time | `--from 2026-08-19T09:00:00Z --to 2026-08-19T11:00:00Z` |
| wait for the end of an upgrade in a pipeline | `--wait --deadline 7200`: it tells how far it is on standard error |
| ask Mimir | `--prometheus https://mimir/prometheus --tenant team-a` |
| show who you are | `--token-file FILE`, `--ca-file FILE`; basic authentication in the URL |
| tell clusters apart in Thanos or Mimir | `--label cluster=prod` |
| keep a question from deciding | `--accept ID`: it is shown, and does not count |
| attach the result to a ticket | `--output markdown`; `--output json` is the report |

A session is judged as of the first sample that says it is over; one that another target superseded, as of that moment,
by what was certain then. What Prometheus has only in part is inconclusive: half a session, a server that says its
answer may be partial, too few series, no alert rules. Two replicas count by the worse.

**What it cannot see.** KubeVirt's own upgrade tests also log in to consoles, stop, restore and delete guests. This does
not touch a guest.
"""


@click.command("verify-docs", hidden=True)
def command() -> exits.Exit:
    """Print the questions as Markdown."""
    sys.stdout.write(markdown())
    return exits.Exit.OK


def markdown() -> str:
    """The whole file."""
    parts = [_INTRODUCTION]
    for group in questions.load():
        heading = group.group[0].upper() + group.group[1:]
        rows = "\n".join(f"| {' | '.join(_row(question))} |" for question in group.queries)
        parts.append(
            f"## {heading}\n\n{group.about}\n\n| id | question | yes | no means | no data means | runbook |\n"
            f"|---|---|---|---|---|---|\n{rows}\n"
        )
    return "\n".join(parts)


def _row(question: Question) -> Iterator[str]:
    yield f"`{question.id}`"
    yield question.question
    yield f"`{question.passes}`".replace("|", "\\|")
    yield question.otherwise.value
    match question.no_data:
        case NoData.NONE_FIRED:
            yield "yes"
        case NoData.NOT_APPLICABLE:
            yield f"does not apply: {question.because}"
        case NoData.INCONCLUSIVE | NoData.WARNING:
            yield f"{question.no_data}: {question.because}"
    yield f"[{question.runbook}](../alerts/runbooks/{question.runbook}.md)" if question.runbook else ""
