"""`metrics-docs`: prints docs/metrics.md."""

import sys

import click

import exporter
from exporter import app, fold, settings
from exporter.cli import exits
from exporter.exposition import docs, own
from exporter.journal.source import JournalSource
from exporter.preflight.standing import Standing
from exporter.probes.source import ProbesSource


@click.command("metrics-docs")
def command() -> exits.Exit:
    """Print the metric reference as Markdown."""
    folded = fold.Fold(settings.Settings(), exporter_version=exporter.__version__)
    own_source = own.OwnSource(version=exporter.__version__, resources=tuple)
    preflight = Standing(folded.view, now=lambda: 0.0)
    page = app.page_of(folded, own_source, ProbesSource(), JournalSource(), preflight)
    sys.stdout.write(docs.markdown([*page.sources, page]))
    return exits.Exit.OK
