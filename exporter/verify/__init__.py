"""After an upgrade: questions about a session, asked of a Prometheus that scraped the exporter.

    verification.yaml ─► questions ─┐
    Prometheus ─► sessions ─────────┴─► asking ─► findings;  document ─► the report

Not here: how findings and reports are shown, and exit codes (`exporter.cli`).
"""
