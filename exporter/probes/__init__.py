"""Asks KubeVirt's API every second what a client would ask, and says what came of it.

Probes are functions in a table (`table`); the runner (`runner`) sends them on time and gives each result to the fold,
which does the accounting. Here is only what the fold cannot know: bodies, permissions, versions that replicas claim.
"""
