"""Who may do what: refusals like those of RBAC, by configuration.

Either everything is allowed except what `forbid` names, or, after `only`, nothing is allowed except what a list of
policy rules (as in a ClusterRole) grants. There are no users: every request is made by one, `user`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from exporter.sim import refusals
from exporter.sim.refusals import JSON

DEFAULT_USER = "system:serviceaccount:kubevirt:kubevirt-upgrade-exporter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A request as authorization sees it. `resource` includes the subresource: `virtualmachines/status`."""

    verb: str
    group: str
    resource: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Policy rules that hold in one namespace, or everywhere (`namespace` empty)."""

    rules: tuple[JSON, ...]
    namespace: str = ""

    def allows(self, attempt: Attempt) -> bool:
        if self.namespace and self.namespace != attempt.namespace:
            return False
        return any(_rule_allows(rule, attempt) for rule in self.rules)


@dataclass(slots=True)
class Access:
    """The authorizer."""

    user: str = DEFAULT_USER
    tokens: dict[str, str] = field(default_factory=lambda: {"simulated": DEFAULT_USER})  # token: whose, for reviews
    _denied: list[Attempt] = field(default_factory=list)
    _grants: list[Grant] | None = None

    def forbid(self, resource: str, *, group: str = "", verb: str = "", namespace: str = "") -> None:
        """Refuse these requests (an empty `verb` or `namespace` means any) until `allow_everything`."""
        self._denied.append(Attempt(verb=verb, group=group, resource=resource, namespace=namespace, name=""))

    def only(self, *grants: Grant) -> None:
        """Refuse whatever none of `grants` allows."""
        self._grants = list(grants)

    def allow_everything(self) -> None:
        self._denied.clear()
        self._grants = None

    def check(self, attempt: Attempt) -> None:
        """Raise `Refusal` 403 for what is not allowed."""
        denied = any(_same(rule, attempt) for rule in self._denied)
        granted = self._grants is None or any(grant.allows(attempt) for grant in self._grants)
        if denied or not granted:
            raise refusals.forbidden(
                user=self.user, verb=attempt.verb, resource=attempt.resource, group=attempt.group,
                namespace=attempt.namespace, name=attempt.name,
            )  # fmt: skip

    def allows_path(self, verb: str, path: str) -> bool:
        """Whether a path that is no resource, such as /metrics, may be read."""
        if self._grants is None:
            return True
        rules = [rule for grant in self._grants for rule in grant.rules]
        return any(
            {verb, "*"} & set(rule.get("verbs") or ()) and {path, "*"} & set(rule.get("nonResourceURLs") or ())
            for rule in rules
        )


def _same(rule: Attempt, attempt: Attempt) -> bool:
    return (
        rule.resource == attempt.resource
        and rule.group == attempt.group
        and rule.verb in {"", attempt.verb}
        and rule.namespace in {"", attempt.namespace}
    )


def _rule_allows(rule: JSON, attempt: Attempt) -> bool:
    def named(field_name: str, value: str) -> bool:
        return bool({"*", value} & set(rule.get(field_name) or ()))

    names = rule.get("resourceNames")
    return (
        named("verbs", attempt.verb)
        and named("apiGroups", attempt.group)
        and named("resources", attempt.resource)
        and (not names or attempt.name in names)
    )
