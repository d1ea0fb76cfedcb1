"""The chart's generated template: the rules of RBAC as named templates."""

import json
from typing import Final

from deploy.src import permissions

NOTICE: Final = "Written by `make generate` from the table of permissions; do not edit."


def rules_template() -> str:
    """The text of templates/_rules.tpl: a named template of rules for each role."""
    return "\n".join([f"{{{{/* {NOTICE} */}}}}", *map(_named, permissions.Role)])


def _named(role: permissions.Role) -> str:
    lines = [line for rule in permissions.rules(role) for line in _rule(rule)]
    return "\n".join([f'{{{{- define "exporter.rules.{role.value}" }}}}', *lines, "{{- end }}", ""])


def _rule(rule: permissions.Rule) -> list[str]:
    verbs = f"  verbs: [{', '.join(rule.verbs)}]"
    if rule.non_resource_urls:
        return [f"- nonResourceURLs: {json.dumps(rule.non_resource_urls)}", verbs]
    lines = [f"- apiGroups: {json.dumps(rule.api_groups)}", f"  resources: [{', '.join(rule.resources)}]"]
    if rule.resource_names:
        lines.append(f"  resourceNames: [{', '.join(rule.resource_names)}]")
    return [*lines, verbs]
