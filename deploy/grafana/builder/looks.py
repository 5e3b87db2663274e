"""How panels look: colours that the colour-blind tell apart, dashes, legends with numbers, words beside colours."""

from typing import Any

from deploy.grafana.builder.elements import BAD, WARNING, WELL, Panel, Prometheus, Thresholds, Unit, Visual

#: Source: Okabe and Ito (2008), "Color Universal Design": told apart with every kind of colour vision.
BLUE, ORANGE, VERMILION, GREEN, SKY, PURPLE, YELLOW = (
    "#0072B2", "#E69F00", "#D55E00", "#009E73", "#56B4E9", "#CC79A7", "#F0E442",
)  # fmt: skip
LEVEL_COLOURS = {WELL: BLUE, WARNING: ORANGE, BAD: VERMILION}

#: Series with a meaning of their own look the same on every panel, and differ in their dashes too.
_SOLID: tuple[int, ...] = ()
SERIES_LOOKS: dict[str, tuple[str, tuple[int, ...]]] = {
    "p50": (BLUE, _SOLID),
    "p95": (ORANGE, (10, 5)),
    "p99": (VERMILION, (3, 4)),
    "succeeded": (BLUE, _SOLID),
    "failed": (VERMILION, (10, 5)),
    "cancelled": (PURPLE, (3, 4)),
    "accepted": (SKY, (10, 5)),
    "matched": (BLUE, _SOLID),
    "parked": (ORANGE, (10, 5)),
    "changed": (VERMILION, (3, 4)),
    "repeated": (PURPLE, (6, 3)),
    "used": (BLUE, _SOLID),
    "limit": (VERMILION, (10, 5)),
    "free": (BLUE, _SOLID),
}
#: Of other series with a fixed name, in their order.
_OTHER_LOOKS = ((BLUE, _SOLID), (VERMILION, (10, 5)), (GREEN, (3, 4)), (PURPLE, (6, 3)), (SKY, (2, 2)))
#: Values of a label that stands alone in a legend.
_VALUES_OF = {
    "{{outcome}}": ("succeeded", "failed", "cancelled"),
    "{{state}}": ("matched", "parked", "changed", "repeated"),
}

Document = dict[str, Any]


def field_config(panel: Panel) -> Document:
    """Unit, limits, thresholds, words and the looks of single series or columns."""
    defaults: Document = {
        "color": _colour(panel),
        "custom": _CUSTOM[panel.visual](panel),
        "mappings": _mappings(panel),
        "noValue": panel.no_value,
        "thresholds": thresholds_document(panel.thresholds),
        "unit": panel.unit.value,
    }
    for name, value in (("min", panel.minimum), ("max", panel.maximum), ("decimals", panel.decimals)):
        if value is not None and panel.visual is not Visual.TABLE:
            defaults[name] = value
    return {"defaults": defaults, "overrides": _overrides(panel)}


def _colour(panel: Panel) -> Document:
    if panel.visual in (Visual.NUMBER, Visual.BARS):
        return {"mode": "thresholds"}
    return {"mode": "palette-classic"}


def thresholds_document(thresholds: Thresholds | None) -> Document:
    """Thresholds as Grafana has them; without any, everything is well."""
    steps = ((None, WELL),) if thresholds is None else thresholds.steps
    return {"mode": "absolute", "steps": [{"color": LEVEL_COLOURS[level], "value": value} for value, level in steps]}


def _mappings(panel: Panel) -> list[Document]:
    if not panel.words:
        return []
    options = {f"{value:g}": {"index": index, "text": text} for index, (value, text) in enumerate(panel.words.items())}
    return [{"options": options, "type": "value"}]


def _line_custom(panel: Panel) -> Document:
    return {
        "axisBorderShow": False,
        "axisPlacement": "auto",
        "drawStyle": "line",
        "fillOpacity": 30 if panel.is_stacked else 8,
        "lineInterpolation": "linear",
        "lineWidth": 2,
        "pointSize": 5,
        # Alone between two gaps, a point would be no line and so invisible.
        "showPoints": "auto" if panel.last is None else "always",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if panel.is_stacked else "none"},
        "thresholdsStyle": {"mode": "off" if panel.thresholds is None else "dashed"},
    }


def _table_custom(_panel: Panel) -> Document:
    return {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False}


def _no_custom(_panel: Panel) -> Document:
    return {}


_CUSTOM = {
    Visual.LINES: _line_custom,
    Visual.TABLE: _table_custom,
    Visual.NUMBER: _no_custom,
    Visual.BARS: _no_custom,
}


def _overrides(panel: Panel) -> list[Document]:
    if panel.visual is Visual.TABLE:
        return _column_overrides(panel)
    if panel.visual is not Visual.LINES:
        return []
    legends = [query.legend for query in panel.queries if isinstance(query, Prometheus)]
    names = [name for legend in legends for name in _VALUES_OF.get(legend, (legend,)) if "{{" not in name]
    free = iter(_OTHER_LOOKS)
    looks = [(name, *(SERIES_LOOKS.get(name) or next(free))) for name in names]
    return [_series_override(*look) for look in looks]


def _series_override(name: str, colour: str, dash: tuple[int, ...]) -> Document:
    style = {"dash": list(dash), "fill": "dash"} if dash else {"fill": "solid"}
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [
            {"id": "color", "value": {"fixedColor": colour, "mode": "fixed"}},
            {"id": "custom.lineStyle", "value": style},
        ],
    }


def _column_overrides(panel: Panel) -> list[Document]:
    units = [
        {"matcher": {"id": "byName", "options": name}, "properties": [{"id": "unit", "value": unit.value}]}
        for name, unit in panel.column_units.items()
    ]
    hidden = [
        {"matcher": {"id": "byName", "options": name}, "properties": [{"id": "custom.hidden", "value": True}]}
        for name in panel.hidden_columns
    ]
    return units + hidden


def options_of(panel: Panel) -> Document:
    """The options of the panel's kind."""
    return _OPTIONS[panel.visual](panel)


def _line_options(panel: Panel) -> Document:
    # The number that matters stands in the legend, so that nobody must tell it from a colour.
    calculations = ["lastNotNull", "max"] if panel.unit is not Unit.PLAIN else ["lastNotNull"]
    return {
        "legend": {"calcs": calculations, "displayMode": "table", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def _reduced() -> Document:
    return {"calcs": ["lastNotNull"], "fields": "", "values": False}


def _number_options(_panel: Panel) -> Document:
    return {
        "colorMode": "value",
        "graphMode": "area",
        "justifyMode": "auto",
        "orientation": "auto",
        "percentChangeColorMode": "standard",
        "reduceOptions": _reduced(),
        "showPercentChange": False,
        "textMode": "auto",
        "wideLayout": True,
    }


def _table_options(_panel: Panel) -> Document:
    return {"cellHeight": "sm", "frameIndex": 0, "showHeader": True}


def _bar_options(_panel: Panel) -> Document:
    return {
        "displayMode": "basic",
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False},
        "maxVizHeight": 300,
        "minVizHeight": 16,
        "minVizWidth": 8,
        "namePlacement": "auto",
        "orientation": "horizontal",
        "reduceOptions": _reduced(),
        "showUnfilled": True,
        "sizing": "auto",
        "valueMode": "color",
    }


_OPTIONS = {
    Visual.LINES: _line_options,
    Visual.TABLE: _table_options,
    Visual.NUMBER: _number_options,
    Visual.BARS: _bar_options,
}
