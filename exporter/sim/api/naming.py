"""What names and labels may look like: the API server refuses others before anything else looks at an object."""

from __future__ import annotations

import re

from exporter.sim import refusals
from exporter.sim.catalogue import Resource
from exporter.sim.refusals import JSON

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_PATH_SEGMENT = re.compile(r"(?!\.{1,2}$)[^/%]+")
_LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_ANY_NAME = {"rbac.authorization.k8s.io"}  # groups whose names need only fit into a path


def check(body: JSON, resource: Resource) -> None:
    """Raises `Refusal` 422 with every name and label of a new object that is not well formed."""
    metadata = body["metadata"]
    name, beginning = metadata.get("name", ""), metadata.get("generateName", "")
    valid = _PATH_SEGMENT if resource.group in _ANY_NAME else _SUBDOMAIN
    problems = []
    if name and not valid.fullmatch(name):
        problems.append(("metadata.name", f'Invalid value: "{name}": a lowercase RFC 1123 subdomain is required'))
    if beginning and not valid.fullmatch(f"{beginning}x"):
        what = f'Invalid value: "{beginning}": a lowercase RFC 1123 subdomain must come of it'
        problems.append(("metadata.generateName", what))
    problems += [
        ("metadata.labels", f'Invalid value: "{value}": not a valid label value')
        for value in (metadata.get("labels") or {}).values()
        if not isinstance(value, str) or not _LABEL.fullmatch(value)
    ]
    if problems:
        raise refusals.invalid(resource.kind, resource.group, name, problems)
