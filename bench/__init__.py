"""What the exporter costs, measured beside `json.loads` of the same bytes and the floor. Run: `make bench`."""
