"""Kubernetes' quantities, such as `200m` and `1276Mi`, as numbers."""

import functools
import re
from typing import Final

_QUANTITY: Final = re.compile(r"^([+-]?[0-9]+(?:\.[0-9]*)?|[+-]?\.[0-9]+)(?:[eE]([+-]?[0-9]+)|([a-zA-Z]+))?$")
_SUFFIXES: Final = {
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip


@functools.lru_cache(maxsize=4096)
def read(text: str) -> float | None:
    """In cores, bytes or pieces; None where it is no quantity."""
    match = _QUANTITY.match(text)
    if match is None:
        return None
    number, exponent, suffix = match.groups()
    if suffix is not None and suffix not in _SUFFIXES:
        return None
    return float(number) * _SUFFIXES.get(suffix or "", 1.0) * 10.0 ** int(exponent or 0)
