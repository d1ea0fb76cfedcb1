"""Panels as all our dashboards have them. None can be made without title, description, unit and an empty state."""

import string
from collections.abc import Container, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common as common_builder,
    dashboard as dashboard_builder,
    gauge,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common, dashboard, prometheus as prometheus_model, table as table_model

from dashboards.src import meanings

Builder = bargauge.Panel | gauge.Panel | stat.Panel | statetimeline.Panel | table.Panel | timeseries.Panel
_Panel = TypeVar("_Panel", bargauge.Panel, gauge.Panel, stat.Panel, statetimeline.Panel, table.Panel, timeseries.Panel)
Steps = Sequence[tuple[float, str]]
"""From which value on which colour. What is not known is below all of them: it has no colour of a judgement."""

SOURCE: Final = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
ALARM: Final[Steps] = ((0, meanings.GOOD), (1, meanings.BAD))
"""None is good, one is bad."""
CAUTION: Final[Steps] = ((0, meanings.GOOD), (1, meanings.ATTENTION))
"""None is good, one is to be looked at."""
DOUBT: Final[Steps] = ((0, meanings.GOOD), (1, meanings.UNKNOWN))
"""None is good, one means that we do not know."""
BUDGET: Final[Steps] = ((0, meanings.GOOD), (0.75, meanings.ATTENTION), (1, meanings.BAD))
"""Share of a budget that is gone. The exporter calls more than three quarters of a session's budget at risk."""
DISRUPTION: Final[Steps] = ((0, meanings.GOOD), (1, meanings.ATTENTION), (10, meanings.BAD))
"""Seconds in an upgrade; the objective is 10 s unless a setting says otherwise."""
NO_UPGRADE: Final = "no upgrade seen yet"


DATE: Final = "dateTimeAsIso"
CLOCK: Final = "clocks"
"""As 07m:47s, with one decimal; with none the seconds are left out, by default milliseconds are shown."""
_SOFT_MAX: Final = {"short": 1, "percentunit": 0.1}
"""Up to where an axis goes at least: one of a count, a tenth of a share. Else a line of zeros has strange numbers."""
_NARROW: Final = 105
_WIDE: Final = 165


class Query(NamedTuple):
    """One query, and its name in the panel: a legend with `{{label}}`, or the title of its column in a table."""

    expr: str
    name: str = ""
    colour: str = ""
    shades: bool = False
    """Several series of one meaning: each has a shade of the colour."""
    dashed: bool = False
    apart: bool = False
    """Not stacked on the others: it counts something else."""
    steps: Steps = ()
    unit: str = ""
    mapping: tuple[meanings.States, ...] = ()


class About(NamedTuple):
    """What every panel says of itself."""

    title: str
    description: str
    unit: str
    empty: str = NO_UPGRADE


def thresholds(steps: Steps) -> dashboard_builder.ThresholdsConfig:
    """Colours by value."""
    return (
        dashboard_builder.ThresholdsConfig()
        .mode(dashboard.ThresholdsMode.ABSOLUTE)
        .steps([dashboard.Threshold(value=value, color=colour) for value, colour in ((None, meanings.PLAIN), *steps)])
    )


def _target(number: int, query: Query, *, instant: bool, as_table: bool) -> prometheus.Dataquery:
    target = (
        prometheus.Dataquery()
        .ref_id(string.ascii_uppercase[number])
        .datasource(SOURCE)
        .expr(query.expr)
        .legend_format(query.name)
        .format(prometheus_model.PromQueryFormat.TABLE if as_table else prometheus_model.PromQueryFormat.TIME_SERIES)
    )
    return target.instant() if instant else target.range()


def _made(
    panel: _Panel, about: About, queries: Sequence[Query], *, instant: bool = False, as_table: bool = False
) -> _Panel:
    """What is the same for all types of panels; `instant` asks for the end of the range only."""
    panel = (
        panel.title(about.title)
        .description(" ".join(about.description.split()))
        .datasource(SOURCE)
        .unit(about.unit)
        .no_value(about.empty)
    )
    for number, query in enumerate(queries):
        panel = panel.with_target(_target(number, query, instant=instant, as_table=as_table))
        if not as_table and (properties := _properties(query)):
            panel = panel.override_by_query(string.ascii_uppercase[number], properties)
    return panel


def _properties(query: Query) -> list[dashboard.DynamicConfigValue]:
    """What differs from the rest of the panel."""
    properties = []
    if query.colour:
        mode = dashboard.FieldColorModeId.SHADES if query.shades else dashboard.FieldColorModeId.FIXED
        colour = dashboard.FieldColor(mode=mode, fixed_color=query.colour)
        properties.append(dashboard.DynamicConfigValue("color", colour))
    if query.dashed:
        style = common.LineStyle(fill="dash", dash=[8, 8])
        properties.append(dashboard.DynamicConfigValue("custom.lineStyle", style))
    if query.apart:
        nothing = common.StackingConfig(mode=common.StackingMode.NONE)
        properties.append(dashboard.DynamicConfigValue("custom.stacking", nothing))
        properties.append(dashboard.DynamicConfigValue("custom.lineWidth", 2))
        properties.append(dashboard.DynamicConfigValue("custom.fillOpacity", 0))
    if query.steps:
        properties.append(dashboard.DynamicConfigValue("thresholds", thresholds(query.steps).build()))
    if query.unit:
        properties.append(dashboard.DynamicConfigValue("unit", query.unit))
    if query.unit == CLOCK:
        properties.append(dashboard.DynamicConfigValue("decimals", 1))
    if query.mapping:
        properties.append(dashboard.DynamicConfigValue("mappings", [meanings.mapping(*query.mapping)]))
    return properties


def _by_thresholds() -> dashboard_builder.FieldColor:
    return dashboard_builder.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS)


def _last() -> common_builder.ReduceDataOptions:
    return common_builder.ReduceDataOptions().calcs(["lastNotNull"])


def number(
    about: About,
    *queries: Query,
    steps: Steps = (),
    states: Sequence[meanings.States] = (),
    named: bool = False,
    only_names: bool = False,
    size: int | None = None,
    decimals: int | None = None,
) -> stat.Panel:
    """One or a few big values: the latest. `named` shows the names, too, `only_names` nothing else."""
    mode = common.BigValueTextMode.VALUE_AND_NAME if named else common.BigValueTextMode.VALUE
    panel = (
        _made(stat.Panel(), about, queries, instant=True)
        .thresholds(thresholds(steps))
        .color_scheme(_by_thresholds())
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(common.BigValueColorMode.VALUE)
        .text_mode(common.BigValueTextMode.NAME if only_names else mode)
        .orientation(common.VizOrientation.AUTO)
        .reduce_options(_last())
    )
    panel = panel.mappings([meanings.mapping(*states)]) if states else panel
    if size is not None:
        panel = panel.text(common_builder.VizTextDisplayOptions().title_size(size // 2).value_size(size))
    return panel if decimals is None else panel.decimals(decimals)


def share(about: About, query: Query, *, steps: Steps) -> gauge.Panel:
    """A ratio from 0 to 1 as an arc."""
    return (
        _made(gauge.Panel(), about, [query], instant=True)
        .min(0)
        .max(1)
        .thresholds(thresholds(steps))
        .color_scheme(_by_thresholds())
        .show_threshold_markers(False)  # noqa: FBT003 - the SDK's way
        .reduce_options(_last())
    )


def bars(about: About, *queries: Query, steps: Steps, highest: float | None = None) -> bargauge.Panel:
    """A horizontal bar for each series: the latest values."""
    panel = (
        _made(bargauge.Panel(), about, queries, instant=True)
        .min(0)
        .thresholds(thresholds(steps))
        .color_scheme(_by_thresholds())
        .orientation(common.VizOrientation.HORIZONTAL)
        .display_mode(common.BarGaugeDisplayMode.BASIC)
        .value_mode(common.BarGaugeValueMode.COLOR)
        .name_placement(common.BarGaugeNamePlacement.LEFT)
        .text(common_builder.VizTextDisplayOptions().title_size(12).value_size(16))
        .decimals(0)
        .reduce_options(_last())
    )
    return panel if highest is None else panel.max(highest)


def lines(
    about: About,
    *queries: Query,
    stacked: bool = False,
    steps: Steps = (),
    highest: float | None = None,
    lowest: float | None = 0,
    hues: Mapping[str, str] | None = None,
) -> timeseries.Panel:
    """Values over time; `stacked` as areas on each other, `steps` as lines across, `hues` by the names' beginnings."""
    panel = (
        _made(timeseries.Panel(), about, queries)
        .color_scheme(
            dashboard_builder.FieldColor().mode(dashboard.FieldColorModeId.SHADES).fixed_color(meanings.MOVING)
        )
        .line_width(1 if stacked else 2)
        .fill_opacity(55 if stacked else 0)
        .line_interpolation(common.LineInterpolation.STEP_AFTER if stacked else common.LineInterpolation.LINEAR)
        .show_points(common.VisibilityMode.NEVER)
        .legend(
            common_builder.VizLegendOptions()
            .show_legend(True)  # noqa: FBT003 - the SDK's way
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
        )
        .tooltip(
            common_builder.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
        )
    )
    for name, hue in (hues or {}).items():
        colour = dashboard.FieldColor(mode=dashboard.FieldColorModeId.SHADES, fixed_color=hue)
        panel = panel.override_by_regexp(f"/^{name}/", [dashboard.DynamicConfigValue("color", colour)])
    panel = panel if lowest is None else panel.min(lowest)
    if highest is None and about.unit in _SOFT_MAX:
        panel = panel.axis_soft_max(_SOFT_MAX[about.unit])
    panel = panel if highest is None else panel.max(highest)
    if stacked:
        panel = panel.stacking(common_builder.StackingConfig().mode(common.StackingMode.NORMAL))
    if steps:
        style = common_builder.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        panel = panel.thresholds(thresholds(steps)).thresholds_style(style)
    return panel


def timeline(about: About, *queries: Query, states: Sequence[meanings.States]) -> statetimeline.Panel:
    """States over time: a lane for each series."""
    return (
        _made(statetimeline.Panel(), about, queries)
        .mappings([meanings.mapping(*states)])
        .color_scheme(_by_thresholds())
        .thresholds(thresholds(()))
        .fill_opacity(80)
        .line_width(0)
        .row_height(0.85)
        .merge_values(True)  # noqa: FBT003 - the SDK's way
        .show_value(common.VisibilityMode.AUTO)
        .legend(common_builder.VizLegendOptions().show_legend(False))  # noqa: FBT003 - texts stand in the lanes
    )


def _cell(query: Query) -> common.TableCellOptions:
    if query.mapping:
        return common.TableColoredBackgroundCellOptions(mode=common.TableCellBackgroundDisplayMode.BASIC)
    return common.TableColorTextCellOptions()


def rows(
    about: About,
    labels: Mapping[str, str],
    *queries: Query,
    narrow: Container[str] = (),
    sort: str = "",
    descending: bool = False,
) -> table.Panel:
    """A table: a row for each set of labels, a column for each label and for each query that has a name.

    `labels` gives the titles of the columns; a label with an empty title is not shown, and the columns of
    those in `narrow` are as wide as those of numbers. The first query has to find
    something wherever another one does: where only one finds something, Grafana does not say which one it is.
    """
    panel = _made(table.Panel(), about, queries, instant=True, as_table=True).color_scheme(_by_thresholds())
    panel = panel.thresholds(thresholds(()))
    columns = {f"Value #{string.ascii_uppercase[i]}" if len(queries) > 1 else "Value": q for i, q in enumerate(queries)}
    hidden = ["Time", *(label for label, title in labels.items() if not title)]
    if not queries[0].name:
        hidden.append("Value")
    hidden += [column for column, query in columns.items() if not query.name]
    order = [*labels, *columns]
    if len(queries) > 1:
        panel = panel.with_transformation(dashboard.DataTransformerConfig("merge", options={}))
    panel = panel.with_transformation(
        dashboard.DataTransformerConfig(
            "organize",
            options={
                "excludeByName": dict.fromkeys(hidden, True),
                "indexByName": {name: index for index, name in enumerate(order)},
                "renameByName": {label: title for label, title in labels.items() if title}
                | {column: query.name for column, query in columns.items() if query.name}
                | ({"Value": queries[0].name} if queries[0].name else {}),
            },
        )
    )
    panel = panel.min_width(60)
    for title in filter(None, labels.values()):
        # Else release 1.2 is taken for a number, and shown as 1 or as 1.20.
        properties = [dashboard.DynamicConfigValue("unit", "string")]
        if title in narrow:
            properties.append(dashboard.DynamicConfigValue("custom.width", _NARROW))
        panel = panel.override_by_name(title, properties)
    for query in queries:
        if query.name:
            properties = _properties(query)
            width = _WIDE if query.mapping or query.unit == DATE else _NARROW
            properties.append(dashboard.DynamicConfigValue("custom.width", width))
            if query.steps or query.mapping:
                properties.append(dashboard.DynamicConfigValue("custom.cellOptions", _cell(query)))
            panel = panel.override_by_name(query.name, properties)
    if sort:
        by = common_builder.TableSortByFieldState().display_name(sort).desc(descending)
        panel = panel.sort_by([by])
        options = panel.build().options
        if isinstance(options, table_model.Options):
            options.footer = None  # the SDK writes one that no table of ours has, and that newer Grafanas do not know
    return panel
