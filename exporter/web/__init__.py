"""What the exporter serves over HTTP. It reads memory only: no handler touches the network or waits for it."""
