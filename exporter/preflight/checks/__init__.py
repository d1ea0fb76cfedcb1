"""The checks, in the order in which they run: each is a module, a page in docs/checks and a file in tests/cases."""

from types import ModuleType
from typing import Final

from exporter.preflight.base import Check
from exporter.preflight.checks import (
    components,
    control_plane_nodes,
    deprecated_apis,
    disruption_budgets,
    guests,
    handlers,
    headroom,
    known_changes,
    known_problems,
    kubernetes,
    launchers,
    maintenance_window,
    migrations,
    operator_version,
    path,
    rollback,
    session,
    storage_versions,
    update_methods,
)


def _name(check: Check) -> str:
    assert isinstance(check, ModuleType)  # noqa: S101 - the table below holds modules only
    return check.__name__.rpartition(".")[2].replace("_", "-")


_ALL: Final[tuple[Check, ...]] = (
    path,
    kubernetes,
    session,
    components,
    operator_version,
    storage_versions,
    deprecated_apis,
    control_plane_nodes,
    handlers,
    disruption_budgets,
    migrations,
    guests,
    launchers,
    update_methods,
    headroom,
    known_changes,
    known_problems,
    rollback,
    maintenance_window,
)

CHECKS: Final[dict[str, Check]] = {_name(check): check for check in _ALL}
"""By name."""
