"""Before an upgrade: whether this cluster is fit for it.

Checks are pure functions of a `World`; each is a file in `checks`.

    lists, read once (`fetch`) ─┐
    the daemon's watches ───────┴─► Tracker and Tables ─► World ─► checks ─► findings

Not here: how findings are shown, and exit codes (`exporter.cli`).
"""
