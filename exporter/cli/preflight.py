"""`preflight`: whether the cluster is fit for an upgrade."""

import asyncio
import pathlib
import sys
from typing import Any, Final

import click
import msgspec

from exporter import errors, settings
from exporter.cli import exits, findings, groups, logs, options
from exporter.kube import access
from exporter.kube.api import Api
from exporter.kube.clock import Clock
from exporter.model import findings as found, versions
from exporter.model.findings import Answer, Finding, State
from exporter.preflight import fetch, runner
from exporter.preflight.checks import CHECKS
from exporter.preflight.world import CannotTell, World
from exporter.recording import backup as saved

_WORDS: Final = {Answer.YES: "GO", Answer.NO: "NO-GO", Answer.CANNOT_TELL: "CANNOT TELL"}
_EXITS: Final = {Answer.YES: exits.Exit.OK, Answer.NO: exits.Exit.NO, Answer.CANNOT_TELL: exits.Exit.CANNOT_TELL}
_DEADLINE: Final = 30.0
_BACKUP: Final = "backup"


class _Document(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What `--output json` prints."""

    from_version: str | None
    to_version: str
    answer: str
    findings: tuple[Finding, ...]


@groups.as_options(settings.Cluster, settings.Logging, settings.Settings)
@click.command("preflight", cls=options.SettingsCommand)
@click.option(
    "--target",
    cls=options.Setting,
    metavar="VERSION",
    default="",
    show_default=False,
    help="Version to upgrade to, such as v1.4.0, or a minor release such as 1.4; left empty: the next minor release.",
)
@click.option(
    "--output",
    cls=options.Setting,
    type=click.Choice(["table", "json", "markdown"]),
    default="table",
    help="For people, for programs, or for a ticket.",
)
@click.option(
    "--only",
    cls=options.Setting,
    type=click.Choice(list(CHECKS)),
    metavar="CHECK",
    multiple=True,
    help="Run this check; may be given several times. Left out: all.",
)
@click.option(
    "--accept",
    cls=options.Setting,
    type=click.Choice([*CHECKS, _BACKUP]),
    metavar="CHECK",
    multiple=True,
    help="Show what this check finds, but do not let it decide; may be given several times.",
)
@click.option(
    "--backup",
    cls=options.Setting,
    type=click.Path(path_type=pathlib.Path),
    metavar="DIR",
    help="Save the configuration of VMs, instancetypes, preferences and KubeVirt in this new folder, for `verify`.",
)
@click.option(
    "--backup-boot-data",
    cls=options.Setting,
    is_flag=True,
    help="Save the cloud-init data in VMs, too. It may hold passwords; left out by default.",
)
@click.option(
    "--require-rollback",
    cls=options.Setting,
    is_flag=True,
    help="The plan relies on a way back: where there is none, the check `rollback` fails.",
)
def command(
    target: str,
    output: str,
    only: tuple[str, ...],
    accept: tuple[str, ...],
    backup: pathlib.Path | None,
    *,
    backup_boot_data: bool,
    require_rollback: bool,
    **parameters: Any,  # noqa: ANN401 - the groups' fields
) -> exits.Exit:
    """Check the cluster before an upgrade. Of the cluster it only reads.

    Exit code 0: go. 1: no-go, a check failed. 2: cannot tell, something could not be checked.
    """
    logs.set_up(groups.build(settings.Logging, parameters))
    if target and versions.parse(target) is None:
        raise errors.UsageError(f"--target {target}: not a version such as v1.4.0, nor a minor release such as 1.4")
    if backup is not None:
        saved.prepare(backup)
    cluster, core = groups.build(settings.Cluster, parameters), groups.build(settings.Settings, parameters)
    try:
        fetched, collected = asyncio.run(_fetch(cluster, core, backup=backup is not None))
    except errors.ApiError as error:
        click.echo(f"{exits.PROGRAM}: the cluster cannot be asked: {error}", err=True)
        return exits.Exit.CANNOT_TELL
    world = fetched.world(target or _next(fetched.world("")), rollback_required=require_rollback)
    results = [*runner.run(world, only=only, accept=accept)]
    if backup is not None:
        results.append(_backed_up(backup, collected, boot_data=backup_boot_data, accepted=_BACKUP in accept))
    answer = found.answer(results)
    origin = _current(world)
    title = f"Preflight {origin or 'unknown'} to {world.target or 'unknown'}"
    match output:
        case "json":
            document = _Document(
                from_version=origin, to_version=world.target, answer=answer, findings=tuple(findings.ordered(results))
            )
            sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
        case "markdown":
            sys.stdout.write(findings.markdown(title, _WORDS[answer], results))
        case _:
            findings.show(title, _WORDS[answer], answer, results, sys.stdout)
    return _EXITS[answer]


async def _fetch(
    cluster: settings.Cluster, core: settings.Settings, *, backup: bool
) -> tuple[fetch.Fetched, saved.Collected]:
    credentials = await access.load(cluster)
    async with Api(credentials, deadline=_DEADLINE) as api:
        fetched = await fetch.fetch(api, core, namespace=cluster.namespace, now=Clock().now())
        return fetched, await saved.collect(api) if backup else saved.Collected({}, {})


def _backed_up(folder: pathlib.Path, collected: saved.Collected, *, boot_data: bool, accepted: bool) -> Finding:
    try:
        number = saved.save(folder, collected, at=Clock().now(), boot_data=boot_data)
    except errors.ExporterError as error:
        return Finding(check=_BACKUP, state=State.FAIL, summary=str(error), accepted=accepted)
    if collected.unread:
        details = tuple(f"{resource}: {why}" for resource, why in sorted(collected.unread.items()))
        summary = f"{number} objects saved, but not everything could be read"
        return Finding(check=_BACKUP, state=State.UNKNOWN, summary=summary, details=details, accepted=accepted)
    return Finding(check=_BACKUP, state=State.PASS, summary=f"{number} objects saved", accepted=accepted)


def _current(world: World) -> str | None:
    try:
        return world.current
    except CannotTell:
        return None


def _next(world: World) -> str:
    """The minor release after the one that runs; empty where that is not known."""
    parsed = versions.parse(_current(world) or "")
    return "" if parsed is None else f"{parsed.major}.{parsed.minor + 1}"
