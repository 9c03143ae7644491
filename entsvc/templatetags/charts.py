"""How a chart of `entsvc.charts` is drawn in a page or on paper."""

from typing import Any

from django import template

from entsvc.charts import Chart

register = template.Library()


@register.inclusion_tag("charts/chart.html")
def chart(figure: Chart, table: bool = True) -> dict[str, Any]:
    """Draw a chart; without its table where the page shows the same figures beside it."""
    return {"chart": figure, "table": table}
