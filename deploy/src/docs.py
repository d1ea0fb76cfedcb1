"""docs/permissions.md: what the exporter may do in a cluster, and why, for those who have to agree to it."""

from typing import Final

from deploy.src import chart, permissions
from deploy.src.permissions import Permission, Role

_HEADINGS: Final = {
    Role.CLUSTER: "In the whole cluster: ClusterRole",
    Role.KUBEVIRT: "In KubeVirt's namespace: Role",
    Role.PROBES: "In the probe namespace: Role, only with `probes.namespace`",
    Role.PROBES_CLUSTER: "With `probes.clusterScoped` only: ClusterRole",
    Role.CALLERS: "With `auth: kubernetes` only: ClusterRole",
}

_TEXTS: Final = {
    Role.CLUSTER: "Reading only. Nothing else is ever asked for; there is no access to Secrets and ConfigMaps.",
    Role.KUBEVIRT: "Reading of the control plane, and writing of the exporter's own reports and its own Lease.",
    Role.PROBES: "Creations as dry runs (`dryRun=All`): the API server checks them, stores nothing. RBAC cannot tell\n"
    "a dry run from a creation, so this is for one namespace of your choice.",
    Role.PROBES_CLUSTER: "The same for objects without a namespace. Off by default: RBAC cannot tell dry runs apart,\n"
    "and a migration policy that is stored governs the guests it selects.",
    Role.CALLERS: "To ask the API server who a caller is and whether they may read; that of `system:auth-delegator`.",
}

_INTRODUCTION: Final = """\
<!-- {notice} -->
# Permissions

What the exporter's ServiceAccount may do, and why. A test runs the daemon on a real API server with exactly these
rules: each is used, and nothing is refused.

Whatever you take away, the rest goes on working. `kubevirt_upgrade_exporter_resource_synced` is then 0 for the
resource, its metrics are missing rather than 0, and a verdict that needs it is `inconclusive`.
"""


def permissions_page() -> str:
    """The page, in Markdown."""
    sections = [_section(role) for role in Role if any(line.role is role for line in permissions.table())]
    return "\n".join([_INTRODUCTION.format(notice=chart.NOTICE), *sections])


def _section(role: Role) -> str:
    rows: dict[str, list[str]] = {}
    for line in permissions.table():
        if line.role is role:
            rows.setdefault(_what(line), []).append(line.why)
    return "\n".join(
        [
            f"## {_HEADINGS[role]}",
            "",
            _TEXTS[role],
            "",
            "| API group | resource | verbs | why |",
            "|---|---|---|---|",
            *(f"{what} | {'; '.join(whys)} |" for what, whys in rows.items()),
            "",
        ]
    )


def _what(line: Permission) -> str:
    """All cells but the last."""
    what = ", ".join(f"`{url}`" for url in line.urls) or f"`{line.resource}`"
    if line.names:
        what += f" named {', '.join(f'`{name}`' for name in line.names)}"
    group = "(URL)" if line.urls else f"`{line.group}`" if line.group else "(core)"
    return f"| {group} | {what} | {', '.join(line.verbs)}"
