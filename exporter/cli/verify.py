"""`verify`: whether an upgrade went well, asked of Prometheus afterwards."""

import asyncio
import datetime as dt
import pathlib
import re
import sys
from typing import Any, Final

import click
import msgspec

from exporter import errors, settings
from exporter.cli import exits, findings, groups, logs, options
from exporter.kube import access
from exporter.kube.api import Api
from exporter.kube.clock import Clock
from exporter.model import findings as found
from exporter.model.findings import Answer, Finding
from exporter.recording import backup as saved
from exporter.report import encode
from exporter.verify import asking, comparing, document, questions, sessions, waiting
from exporter.verify.prometheus import Prometheus, Source
from exporter.verify.sessions import Found

_WORDS: Final = {Answer.YES: "PASSED", Answer.NO: "FAILED", Answer.CANNOT_TELL: "INCONCLUSIVE"}
_EXITS: Final = {Answer.YES: exits.Exit.OK, Answer.NO: exits.Exit.NO, Answer.CANNOT_TELL: exits.Exit.CANNOT_TELL}
_LABEL: Final = re.compile(r"^[a-zA-Z_][a-zA-Z0-9_]*=.+$")
_GROUPS: Final = questions.load()
_IDS: Final = [question.id for group in _GROUPS for question in group.queries] + list(comparing.CHECKS)
_DEADLINE: Final = 30.0


class Moment(click.ParamType[float]):
    """RFC 3339, or Unix seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401
        """Unix seconds, or click's complaint."""
        text = str(value)
        try:
            return float(text)
        except ValueError:
            pass
        try:
            moment = dt.datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{text!r} is no time such as 2026-08-19T09:12:03Z", param, ctx)
        if moment.tzinfo is None:
            self.fail(f"{text!r} names no zone; write 2026-08-19T09:12:03Z for UTC", param, ctx)
        return moment.timestamp()


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the user wants to know."""

    source: Source
    labels: dict[str, str]
    session: str
    since: float | None
    until: float
    lookback: float
    wait: bool
    deadline: float
    accept: tuple[str, ...]


class _Result(msgspec.Struct, frozen=True, kw_only=True):
    session: Found
    findings: tuple[Finding, ...]
    page: document.Page


@groups.as_options(settings.Logging, settings.Cluster)
@click.command("verify", cls=options.SettingsCommand)
@click.option(
    "--prometheus",
    cls=options.Setting,
    metavar="URL",
    default="",
    show_default=False,
    help="Prometheus, Thanos or Mimir, with its path: what stands before /api/v1.",
)
@click.option(
    "--session",
    cls=options.Setting,
    metavar="NAME",
    default="",
    show_default=False,
    help="The name of its UpgradeReport or the beginning of it, or the version it led to; left empty: the last one.",
)
@click.option(
    "--from",
    cls=options.Setting,
    type=Moment(),
    metavar="TIME",
    help="Judge the time from here to --to, and not that of a session.",
)
@click.option(
    "--to", cls=options.Setting, type=Moment(), metavar="TIME", help="Judge as of this time; left out: as of now."
)
@click.option(
    "--lookback",
    cls=options.Setting,
    type=groups.Quantity(whole=False, least=60, most=None),
    metavar="SECONDS",
    default=604_800.0,
    help="How far back to look for sessions.",
)
@click.option("--list", "list_sessions", is_flag=True, help="Name the sessions that Prometheus knows, and end.")
@click.option(
    "--wait", cls=options.Setting, is_flag=True, help="Wait until the session that is under way, or begins, is over."
)
@click.option(
    "--deadline",
    cls=options.Setting,
    type=groups.Quantity(whole=False, least=1, most=None),
    metavar="SECONDS",
    default=7_200.0,
    help="Wait no longer than this, and judge what there is.",
)
@click.option(
    "--label",
    cls=options.Setting,
    multiple=True,
    metavar="NAME=VALUE",
    help="Ask only about series with this label, such as cluster=prod; may be given several times.",
)
@click.option(
    "--accept",
    cls=options.Setting,
    type=click.Choice(_IDS),
    metavar="QUESTION",
    multiple=True,
    help="Show what this question finds, but do not let it decide; may be given several times.",
)
@click.option(
    "--tenant", cls=options.Setting, default="", show_default=False, help="Header X-Scope-OrgID, for Mimir and Cortex."
)
@click.option(
    "--token-file",
    cls=options.Setting,
    type=click.Path(path_type=pathlib.Path),
    help="File with a bearer token.",
)
@click.option(
    "--ca-file", cls=options.Setting, default="", show_default=False, metavar="PATH", help="PEM file with authorities."
)
@click.option(
    "--backup",
    cls=options.Setting,
    type=click.Path(path_type=pathlib.Path),
    metavar="DIR",
    help="Compare the cluster with what `preflight --backup` saved; alone, or beside --prometheus.",
)
@click.option(
    "--output",
    cls=options.Setting,
    type=click.Choice(["table", "json", "markdown"]),
    default="table",
    help="For people; the report as a JSON list; or for a ticket.",
)
def command(
    output: str,
    backup: pathlib.Path | None,
    *,
    list_sessions: bool,
    **parameters: Any,  # noqa: ANN401 - the rest
) -> exits.Exit:
    """Judge an upgrade that is over, by what Prometheus has of it and by a backup made before it.

    Exit code 0: passed. 1: failed. 2: inconclusive, something could not be seen; the finding says what.
    """
    logs.set_up(groups.build(settings.Logging, parameters))
    asked = _asked(parameters, alone=backup is None or list_sessions or output == "json")
    if list_sessions:
        return _list(asyncio.run(_find(asked)))
    compared = [] if backup is None else _compare(backup, groups.build(settings.Cluster, parameters), asked.accept)
    result = asyncio.run(_verify(asked)) if asked.source.url else None
    if result is None and asked.source.url:
        return exits.Exit.CANNOT_TELL
    results = [*(result.findings if result is not None else ()), *compared]
    answer = found.answer(results)
    match output:
        case "json" if result is not None:
            report = document.report(result.page, result.session, findings.ordered(results))
            sys.stdout.buffer.write(encode.as_json([report], indent=2))
        case "markdown":
            sys.stdout.write(findings.markdown(_title(result), _WORDS[answer], results))
        case _:
            findings.show(_title(result), _WORDS[answer], answer, results, sys.stdout)
    return _EXITS[answer]


def _title(result: _Result | None) -> str:
    if result is None:
        return "Verification by the backup"
    session = result.session
    return f"Verification of {session.from_version or 'unknown'} to {session.to_version or 'unknown'}, {session.name}"


def _compare(folder: pathlib.Path, cluster: settings.Cluster, accept: tuple[str, ...]) -> list[Finding]:
    """Raises UnreadableError: there is no backup. Raises UsageError: there are no credentials."""
    before = saved.load(folder)

    async def collect() -> saved.Collected:
        credentials = await access.load(cluster)
        async with Api(credentials, deadline=_DEADLINE) as api:
            return await saved.collect(api)

    return list(comparing.compare(before, asyncio.run(collect()), accept=accept))


def _asked(parameters: dict[str, Any], *, alone: bool) -> _Asked:
    """What is wanted; `alone`: Prometheus is all there is to judge by. Raises UsageError, with all mistakes."""
    mistakes = ["--prometheus is missing: the address of Prometheus"] if alone and not parameters["prometheus"] else []
    mistakes += [f"--label {label}: not like NAME=VALUE" for label in parameters["label"] if not _LABEL.match(label)]
    since, until, now = parameters["from"], parameters["to"], Clock().now()
    if since is not None and since >= (until or now):
        mistakes.append("--from is not before --to")
    if since is not None and parameters["session"]:
        mistakes.append("--from and --session: give one of them")
    if parameters["wait"] and (parameters["session"] or since is not None or until is not None):
        mistakes.append("--wait is for the session under way; it goes with none of --session, --from, --to")
    token = ""
    if (path := parameters["token_file"]) is not None:
        try:
            token = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            mistakes.append(f"--token-file {path}: {error}")
        if len(token.split()) > 1:
            mistakes.append(f"--token-file {path}: holds more than a token")
    if mistakes:
        raise errors.UsageError("\n  ".join([f"{len(mistakes)} to correct", *mistakes]))
    return _Asked(
        source=Source(
            url=parameters["prometheus"], tenant=parameters["tenant"], token=token, ca_file=parameters["ca_file"]
        ),
        labels=dict(label.split("=", 1) for label in parameters["label"]),
        session=parameters["session"],
        since=since,
        until=until or now,
        lookback=parameters["lookback"],
        wait=parameters["wait"],
        deadline=now + parameters["deadline"],
        accept=parameters["accept"],
    )


async def _find(asked: _Asked) -> list[Found]:
    async with Prometheus(asked.source) as prometheus:
        known, _ = await sessions.find(prometheus, until=asked.until, lookback=asked.lookback, labels=asked.labels)
        if not known:
            _say(await sessions.why_none(prometheus, until=asked.until, lookback=asked.lookback, labels=asked.labels))
        return known


def _list(known: list[Found]) -> exits.Exit:
    for session in known:
        how = "superseded" if session.superseded else "over"
        ended = "not over" if session.ended is None else f"{how} {encode.moment(session.ended)}"
        click.echo(f"{session.name}  {session.from_version or 'unknown'} to {session.to_version or 'unknown'}  {ended}")
    return exits.Exit.OK if known else exits.Exit.CANNOT_TELL


async def _verify(asked: _Asked) -> _Result | None:
    """None where there is no session to judge; that has been said."""
    async with Prometheus(asked.source) as prometheus:
        session = await _choose(prometheus, asked)
        if session is None:
            return None
        began = session.start if asked.since is None else asked.since
        results = await asking.ask(
            prometheus,
            _GROUPS,
            asking.Judged(session.at, session.at - began, superseded=session.superseded),
            labels=asked.labels,
            target_labels=session.target_labels,
            accept=asked.accept,
        )
        everything = await prometheus.instant(document.everything(asked.labels), at=session.at)
        return _Result(session=session, findings=tuple(results), page=document.Page(everything.series))


async def _choose(prometheus: Prometheus, asked: _Asked) -> Found | None:
    if asked.wait:
        clock = Clock()
        over = await waiting.wait(
            prometheus, deadline=asked.deadline, labels=asked.labels, now=clock.now, sleep=asyncio.sleep, tell=_say
        )
        if over is not None:
            return over
        _say("the deadline has passed; judging what there is")
    until = Clock().now() if asked.wait else asked.until
    lookback = asked.lookback if asked.since is None else max(until - asked.since, 600.0)
    known, _ = await sessions.find(prometheus, until=until, lookback=lookback, labels=asked.labels)
    if not known:
        _say(await sessions.why_none(prometheus, until=until, lookback=lookback, labels=asked.labels))
        return None
    if asked.since is not None:
        return msgspec.structs.replace(known[-1], at=until, superseded=False)
    return sessions.choose(known, asked.session) if asked.session else known[-1]


def _say(text: str) -> None:
    click.echo(f"{exits.PROGRAM}: {text}", err=True)
