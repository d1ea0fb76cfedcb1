"""Label and field selectors: from the query of a request to a predicate on labels and fields.

Grammar of labels: `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`, `a`, `!a`, `a>1`, `a<1`; of fields:
`a=b`, `a==b`, `a!=b`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from exporter.sim import refusals
from exporter.sim.store import Fields

Predicate = Callable[[Fields, Fields], bool]
_Term = Callable[[Fields], bool]

_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?"
_SET = re.compile(rf"^({_NAME})\s+(in|notin)\s*\(([^()]*)\)$")
_EQUAL = re.compile(rf"^({_NAME})\s*(==|=|!=)\s*([-A-Za-z0-9_.]*)$")
_NUMBER = re.compile(rf"^({_NAME})\s*([<>])\s*(-?[0-9]+)$")
_EXISTS = re.compile(rf"^(!?)\s*({_NAME})$")
_FIELDS = {"metadata.name", "metadata.namespace"}
_POD_FIELDS = {"spec.nodeName", "status.phase"}


def compile_selectors(labels: str, fields: str, *, pods: bool) -> Predicate | None:
    """A predicate for both selectors together, or None where there are none. Raises `Refusal` 400."""
    label_terms = [_label_term(term) for term in _split(labels)]
    field_terms = [_field_term(term, pods=pods) for term in fields.split(",") if term]
    if not label_terms and not field_terms:
        return None
    return lambda have, are: all(term(have) for term in label_terms) and all(term(are) for term in field_terms)


def _split(text: str) -> list[str]:
    """At commas outside of parentheses. What is empty beside a comma is refused later."""
    return [part.strip() for part in re.split(r",(?![^(]*\))", text)] if text.strip() else []


def _label_term(text: str) -> _Term:
    if found := _SET.match(text):
        name, operator, listed = found.groups()
        values = {value.strip() for value in listed.split(",")}
        if operator == "in":
            return lambda have: have.get(name) in values
        return lambda have: have.get(name) not in values
    if found := _EQUAL.match(text):
        name, operator, value = found.groups()
        if operator == "!=":
            return lambda have: have.get(name) != value
        return lambda have: have.get(name) == value
    if found := _NUMBER.match(text):
        name, operator, value = found.groups()
        return lambda have: _compares(have.get(name, ""), operator, int(value))
    if found := _EXISTS.match(text):
        negated, name = found.groups()
        return lambda have: (name not in have) if negated else (name in have)
    raise refusals.bad_request(f'unable to parse requirement: invalid label selector "{text}"')


def _compares(have: str, operator: str, limit: int) -> bool:
    """A label that is no number is neither more nor less."""
    try:
        number = int(have)
    except ValueError:
        return False
    return number > limit if operator == ">" else number < limit


def _field_term(text: str, *, pods: bool) -> _Term:
    name, operator, value = text.partition("!=")
    if not operator:
        name, _, value = text.partition("=")
        value = value.removeprefix("=")
    if name not in (_FIELDS | _POD_FIELDS if pods else _FIELDS):
        raise refusals.bad_request(f"field label not supported: {name}")
    if operator:
        return lambda are: are.get(name, "") != value
    return lambda are: are.get(name, "") == value
