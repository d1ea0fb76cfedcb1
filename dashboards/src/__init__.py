"""Makes the dashboards: a module each, built with Grafana's SDK, written as JSON that Grafana imports.

`python -m dashboards.src` writes ../*.json. Nothing here is part of the exporter.
"""
