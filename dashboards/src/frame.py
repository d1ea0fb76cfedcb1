"""What all our dashboards have around their panels: variables, links, annotations, and the grid of 24 columns."""

from collections.abc import Iterator
from typing import Final

from grafana_foundation_sdk.builders import dashboard as builder
from grafana_foundation_sdk.models import dashboard

from dashboards.src import meanings, panels, promql

TAG: Final = "kubevirt-upgrade"
_COLUMNS: Final = 24
_EVERY_CLUSTER: Final = "kubevirt_upgrade_exporter_build_info"

Row = tuple[int, tuple[tuple[int, panels.Builder], ...]]
"""Its height, and its panels with their widths."""


class Annotation(dashboard.AnnotationQuery):
    """An annotation with what Grafana's Prometheus data source reads beyond the SDK's fields."""

    def __init__(self, name: str, expr: str, *, colour: str, at_value: bool) -> None:
        super().__init__(name, panels.SOURCE, enable=True, icon_color=colour, expr=expr, hide=False)
        self._at_value = at_value

    def to_json(self) -> dict[str, object]:
        """As Grafana wants it: `useValueForTime` puts the mark at the value, in milliseconds."""
        return super().to_json() | {
            "step": "30s",
            "titleFormat": self.name,
            "useValueForTime": self._at_value,
        }


def _annotations() -> Iterator[Annotation]:
    def moment(family: str) -> str:
        return f"{promql.worst(f'session_{family}_timestamp_seconds')} * 1000"

    for family, title, colour in (
        ("start", "Upgrade begins", meanings.MOVING),
        ("observed_completion", "Control plane done", meanings.GOOD),
        ("workloads_completion", "Guests done", meanings.GOOD),
        ("end", "Upgrade is over", meanings.RESTING),
    ):
        yield Annotation(title, moment(family), colour=colour, at_value=True)
    # The one phase that begins at no published moment: the first step at which it is there.
    there = promql.worst("phase", 'phase="control_plane"')
    before = promql.worst("phase", 'phase="control_plane"', over="{} offset $__interval")
    yield Annotation(
        "Control plane begins", f"{there} == 1 unless {before} == 1", colour=meanings.MOVING, at_value=False
    )


def board(
    uid: str, title: str, description: str, *rows: Row, since: str = "now-1h", refresh: str = "30s"
) -> builder.Dashboard:
    """A dashboard of these rows, one under another.

    Raises ValueError: a row is not exactly 24 columns wide.
    """
    made = (
        builder.Dashboard(title)
        .uid(uid)
        .description(" ".join(description.split()))
        .tags([TAG])
        .readonly()
        .time(since, "now")
        .refresh(refresh)
        .timezone("browser")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .with_variable(
            builder.DatasourceVariable("datasource")
            .label("Data source")
            .description("The Prometheus that scrapes the exporter")
            .type("prometheus")
        )
        .with_variable(_choice("cluster", "The label that tells clusters apart; empty where there is none", ""))
        .with_variable(
            _choice("namespace", "Where the exporter runs", 'cluster="$cluster"')
            .include_all(True)  # noqa: FBT003 - the SDK's way
            .all_value(".*")
            .current(dashboard.VariableOption(text="All", value="$__all", selected=True))
        )
        .link(
            builder.DashboardLink("KubeVirt upgrades")
            .type(dashboard.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .include_vars(True)  # noqa: FBT003 - the SDK's way
            .keep_time(True)  # noqa: FBT003
        )
    )
    built = made.build()
    built.annotations = dashboard.AnnotationContainer(list_val=list(_annotations()))
    number = y = 0
    for height, row in rows:
        if sum(width for width, _ in row) != _COLUMNS:
            raise ValueError(f"{title}: the row at {y} is not {_COLUMNS} columns wide")
        x = 0
        for width, panel in row:
            number += 1
            made = made.with_panel(panel.id(number).grid_pos(dashboard.GridPos(h=height, w=width, x=x, y=y)))
            x += width
        y += height
    return made


def _choice(name: str, description: str, matcher: str) -> builder.QueryVariable:
    selector = f"{_EVERY_CLUSTER}{{{matcher}}}" if matcher else _EVERY_CLUSTER
    return (
        builder.QueryVariable(name)
        .label(name.capitalize())
        .description(description)
        .datasource(panels.SOURCE)
        .query({"query": f"label_values({selector}, {name})", "refId": name})
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
    )
