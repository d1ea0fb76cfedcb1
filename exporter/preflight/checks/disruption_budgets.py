"""Whether a pod of the control plane may go. A budget at its limit holds up drains while the upgrade runs."""

from collections.abc import Iterator

from exporter.preflight.base import Said, count, fails, named, passes, unknown, warns
from exporter.preflight.world import World


def check(world: World) -> Iterator[Said]:
    """One finding, and one more where budgets have not been counted."""
    below: list[str] = []
    limit: list[str] = []
    silent: list[str] = []
    budgets = world.budgets
    for budget in budgets:
        if budget.healthy is None or budget.desired is None or budget.allowed is None:
            silent.append(budget.key)
        elif not budget.expected:
            continue
        elif budget.healthy < budget.desired:
            below.append(f"{budget.key}: {budget.healthy} healthy of at least {budget.desired}")
        elif not budget.allowed:
            limit.append(f"{budget.key}: {budget.healthy} healthy, none may go")
    if below:
        yield fails(f"{count(len(below), 'budget')} below the minimum", named(below + limit))
    elif limit:
        yield warns(f"{count(len(limit), 'budget')} at the limit", named(limit))
    if silent:
        yield unknown("the disruption controller has not looked at all budgets", named(silent))
    if not below and not limit and not silent:
        yield passes(f"{count(len(budgets), 'budget')}: at least one pod of each may go")
