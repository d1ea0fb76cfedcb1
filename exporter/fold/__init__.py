"""Replays changes into tracker and concerns: the whole program as one pure fold."""
