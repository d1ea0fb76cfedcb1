"""One question each about a cluster in upgrade; folds beside the tracker that do not know each other. Pure."""
