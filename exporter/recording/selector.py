"""Label selectors, to do for a recording what the API server does for a list: `a`, `a=b`, `a!=b`, joined by commas.

Set-based selectors (`in`, `notin`, `!a`) are not here: no row of the resource table uses them.
"""

from collections.abc import Callable, Mapping

Requirement = Callable[[Mapping[str, str]], bool]


def parse(text: str) -> tuple[Requirement, ...]:
    """The requirements, all of which must hold; none for an empty selector. Raises ValueError for what is not known."""
    return tuple(_requirement(part.strip()) for part in text.split(",")) if text else ()


def _requirement(text: str) -> Requirement:
    key, unequal, value = text.partition("!=")
    if unequal:
        return _differs(key, value)
    key, equal, value = text.partition("=")
    if not key or any(mark in key for mark in "!() "):
        raise ValueError(f"label selector not understood: {text!r}")
    return _equals(key, value.removeprefix("=")) if equal else _exists(key)


def _exists(key: str) -> Requirement:
    return lambda labels: key in labels


def _equals(key: str, value: str) -> Requirement:
    return lambda labels: labels.get(key) == value


def _differs(key: str, value: str) -> Requirement:
    return lambda labels: labels.get(key) != value
