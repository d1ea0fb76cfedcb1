"""Everything that talks to the Kubernetes API, and nothing else does."""
