"""`metrics-docs`: prints docs/metrics.md."""

import sys

import click

import exporter
from exporter import app, fold, settings
from exporter.cli import exits
from exporter.exposition import docs, own


@click.command("metrics-docs")
def command() -> exits.Exit:
    """Print the metric reference as Markdown."""
    folded = fold.Fold(settings.Settings(), exporter_version=exporter.__version__)
    page = app.page_of(folded, own.OwnSource(version=exporter.__version__, resources=tuple))
    sys.stdout.write(docs.markdown([*page.sources, page]))
    return exits.Exit.OK
