"""The world side: what exists, and the processes that change it in simulated time."""
