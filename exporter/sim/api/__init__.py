"""The HTTP side: requests, answers, watches, and what faults do to them."""
