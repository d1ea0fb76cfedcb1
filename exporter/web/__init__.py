"""What the exporter serves over HTTP. It reads memory only: no handler touches the network or waits for it.

Only the gate that lets callers in does (`auth`).
"""
