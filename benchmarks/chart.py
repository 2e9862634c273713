"""The chart of the page: CPU seconds by members, a line a subject, both axes logarithmic."""

from __future__ import annotations

import math
import re

import pygal
from pygal.style import Style

from benchmarks.goals import Results
from benchmarks.subjects import SUBJECTS

COLORS = ("#8a8a8a", "#b58900", "#859900", "#268bd2", "#073642", "#dc322f")
SECONDS = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000)


def chart(results: Results) -> str:
    """A picture in SVG, without script."""
    sizes = sorted({size for size, subject in results if size and any(s.name == subject for s in SUBJECTS)})
    cpu = [results[size, s.name].median("cpu") for size in sizes for s in SUBJECTS if (size, s.name) in results]
    seconds = [s for s in SECONDS if min(cpu) / 3 <= s <= max(cpu) * 3]
    drawn = pygal.XY(
        title="CPU seconds of the whole process, by members",
        style=Style(background="#ffffff", plot_background="#ffffff", colors=COLORS, label_font_size=12),
        js=(),
        no_prefix=True,
        disable_xml_declaration=True,
        width=800,
        height=480,
        truncate_legend=-1,
        legend_at_bottom=True,
        legend_at_bottom_columns=3,
        x_labels=[{"value": math.log10(size), "label": f"{size:,}"} for size in sizes],
        y_labels=[{"value": math.log10(s), "label": f"{s:,}"} for s in seconds],
        include_x_axis=False,
        dots_size=4,
    )
    for subject in SUBJECTS:
        found = [(size, results[size, subject.name].median("cpu")) for size in sizes if (size, subject.name) in results]
        points = [
            {"value": (math.log10(size), math.log10(cpu)), "label": f"{size:,} members: {cpu:,.1f} s"}
            for size, cpu in found
        ]
        if points:
            drawn.add(subject.title, points)
    return re.sub(r"<script.*?</script>", "", drawn.render(is_unicode=True), flags=re.DOTALL) + "\n"
