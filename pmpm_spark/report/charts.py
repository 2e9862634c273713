"""Charts as static SVG: no script and no style of their own (the page's sheet has it), a title and a description."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import pygal
from pygal.style import Style

WIDTH, ROW, LETTERS = 480, 24, 12
LONGEST_LABEL = 26
COMMON: dict[str, Any] = {
    "js": (),
    "css": (),
    "disable_xml_declaration": True,
    "show_legend": False,
    "width": WIDTH,
    "margin": 6,
    "margin_right": 24,
    "truncate_label": LONGEST_LABEL,
    "dots_size": 3,
    "max_scale": 6,
    "style": Style(label_font_size=LETTERS, major_label_font_size=LETTERS, title_font_size=LETTERS),
}
NOT_DRAWN = {"defs", "script", "title", "tooltip-overlay", "text-overlay"}
NOTHING = "nothing"
"""The kind of a series that only moves others."""
Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """Values in the order of the labels; `intervals` are drawn around them, and `kind` is their class in the sheet."""

    name: str
    values: Sequence[float | None]
    intervals: Sequence[tuple[float, float] | None] = ()
    kind: str = "own"


def dollars(value: float) -> str:
    return f"${value:,.0f}".replace("$-", "−$")


def cents(value: float) -> str:
    return f"${value:,.2f}".replace("$-", "−$")


def short_dollars(value: float) -> str:
    """Thousands as k, millions as M: an axis has little room."""
    for size, sign in ((1_000_000, "M"), (1_000, "k")):
        if abs(value) >= size:
            return f"${value / size:,.1f}".removesuffix(".0") + sign
    return dollars(value)


def counted(value: float) -> str:
    return f"{value:,.0f}"


def bars(
    name: str,
    title: str,
    description: str,
    labels: Sequence[str],
    series: Sequence[Series],
    form: Callable[[float], str] = dollars,
) -> str:
    """Horizontal bars, the first label at the top."""
    height = ROW * len(labels) * max(1, len(series) * 0.7) + 46
    ends = [end for one in series for interval in one.intervals if interval for end in interval]
    told = [0.0, *ends, *(value for one in series for value in one.values if value is not None)]
    span = (min(told), max(told))
    chart = pygal.HorizontalBar(**COMMON, height=height, spacing=8, value_formatter=form, range=span)
    chart.x_labels = [_short(label) for label in labels][::-1]
    for one in series:
        intervals = one.intervals or [None] * len(one.values)
        bars_told = [_bar(*bar) for bar in zip(labels, one.values, intervals, strict=True)]
        chart.add(one.name, bars_told[::-1])
    return _svg(chart, name, title, description, [one.kind for one in series])


def _bar(label: str, value: float | None, interval: tuple[float, float] | None) -> Any:
    if value is None:
        return None
    told: dict[str, Any] = {"value": value, "label": label}
    return {**told, "ci": {"low": interval[0], "high": interval[1]}} if interval else told


def _short(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"


def lines(
    name: str,
    title: str,
    description: str,
    labels: Sequence[str],
    series: Sequence[Series],
    form: Callable[[float], str] = dollars,
) -> str:
    """Lines over labels in their order; where a value is missing the line breaks."""
    every = max(1, -(-len(labels) // 6))
    chart = pygal.Line(
        **COMMON, height=240, value_formatter=form, include_x_axis=True, allow_interruptions=True, show_x_guides=False
    )
    chart.x_labels = list(labels)
    chart.x_labels_major = [label for place, label in enumerate(labels) if place % every == 0]
    chart.show_minor_x_labels = False
    for one in series:
        chart.add(one.name, list(one.values), show_dots=one.kind == "own")
    return _svg(chart, name, title, description, [one.kind for one in series])


def waterfall(
    name: str,
    title: str,
    description: str,
    labels: Sequence[str],
    steps: Sequence[float],
    total: str,
    form: Callable[[float], str] = dollars,
) -> str:
    """Horizontal bars of which each begins where the one above ends, and below them their sum."""
    pieces: list[tuple[float, float, float]] = []
    at = 0.0
    for step in steps:
        low, high = min(at, at + step), max(at, at + step)
        pieces.append(
            (low if low > 0 else min(high, 0.0), max(high, 0.0) - max(low, 0.0), min(low, 0.0) - min(high, 0.0))
        )
        at += step
    empty = [0.0] * len(steps)
    series = (
        ("from", [base for base, *_ in pieces], 0.0, NOTHING),
        ("above", [above for _, above, _ in pieces], 0.0, "peers"),
        ("below", [below for *_, below in pieces], 0.0, "peers"),
        ("total", empty, at, "own"),
    )
    chart = pygal.HorizontalStackedBar(**COMMON, height=ROW * (len(labels) + 1) + 46, spacing=8, value_formatter=form)
    chart.x_labels = [_short(label) for label in (*labels, total)][::-1]
    for called, values, last, _ in series:
        said = zip((*labels, total), (*values, last), (*steps, at), strict=True)
        chart.add(called, [_piece(label, value, whole, form) for label, value, whole in said][::-1])
    return _svg(chart, name, title, description, [kind for *_, kind in series])


def _piece(label: str, value: float, whole: float, form: Callable[[float], str]) -> Any:
    """A part of a step, which says the whole step."""
    if not value:
        return None
    return {"value": value, "label": label, "formatter": lambda _: form(whole)}


def points(
    name: str,
    title: str,
    description: str,
    dots: Sequence[tuple[str, Point]],
    curves: Sequence[Sequence[Point]],
    axes: tuple[str, str],
    form: Callable[[float], str] = dollars,
) -> str:
    """Labelled dots, and curves among them."""
    told = [at for _, at in dots] + [at for curve in curves for at in curve]
    chart = pygal.XY(
        **COMMON,
        range=(0, max(y for _, y in told) * 1.05),
        xrange=(0, max(x for x, _ in told) * 1.05),
        height=300,
        stroke=False,
        value_formatter=form,
        x_value_formatter=counted,
        x_title=axes[0],
        y_title=axes[1],
    )
    for place, curve in enumerate(curves):
        chart.add(f"limit {place}", list(curve), stroke=True, show_dots=False)
    chart.add("dots", [{"value": at, "label": label} for label, at in dots])
    return _svg(chart, name, title, description, [*["limit"] * len(curves), "own"])


def _svg(chart: Any, name: str, title: str, description: str, kinds: Sequence[str]) -> str:
    """The drawing alone, named and described for those who do not see it; what a mark says is its tooltip."""
    chart.uuid = name
    root = chart.render_tree()
    view = root.get("viewBox")
    root.attrib.clear()
    root.attrib.update(
        {
            "id": name,
            "class": "chart",
            "viewBox": view,
            "role": "img",
            "aria-labelledby": f"{name}-title {name}-description",
        }
    )
    _clean(root)
    for parent in list(root.iter("g")):
        for group in list(parent):
            words = str(group.get("class")).split()
            if words[0] == "series":
                kind = kinds[int(words[1].removeprefix("serie-"))]
                group.set("class", f"series {kind}")
                if kind == NOTHING:  # what a bar stands on
                    parent.remove(group)
    for tag, said in (("desc", description), ("title", title)):
        told = ElementTree.Element(tag, {"id": f"{name}-{'title' if tag == 'title' else 'description'}"})
        told.text = said
        root.insert(0, told)
    return ElementTree.tostring(root, encoding="unicode")


def _clean(parent: Any) -> None:
    """Take away scripts, styles, empty groups and what only a script would read; shorten numbers."""
    for child in list(parent):
        words = str(child.get("class") or "").split()
        if not isinstance(child.tag, str) or child.tag in NOT_DRAWN or NOT_DRAWN & set(words):
            parent.remove(child)
        elif child.tag == "desc":
            continue
        else:
            _clean(child)
            kept = [word for word in words if word not in ("reactive", "tooltip-trigger", "rect", "dot")]
            child.attrib.pop("class", None)
            if kept:
                child.set("class", " ".join(kept))
            for key in ("rx", "ry"):
                child.attrib.pop(key, None)
            for key in ("x", "y", "cx", "cy", "width", "height", "d", "transform", "points"):
                if key in child.attrib:
                    child.set(key, _shorter(child.get(key)))
            if child.tag == "g" and not len(child):
                parent.remove(child)
    said = {str(child.get("class")): child.text for child in parent if child.tag == "desc"}
    for child in [child for child in parent if child.tag == "desc"]:
        parent.remove(child)
    if "value" in said:
        told = ElementTree.SubElement(parent, "title")
        told.text = ": ".join(text for text in (said.get("label") or said.get("x_label"), said["value"]) if text)


def _shorter(text: str) -> str:
    """Coordinates with one decimal."""
    out, number = [], ""
    for character in [*text, ""]:
        if character and (character.isdigit() or character in ".-"):
            if character == "-" and number:
                out.append(_rounded(number))
                number = ""
            number += character
        else:
            if number:
                out.append(_rounded(number))
            number = ""
            out.append(character)
    return "".join(out)


def _rounded(number: str) -> str:
    try:
        return f"{float(number):.1f}".removesuffix(".0")
    except ValueError:
        return number
