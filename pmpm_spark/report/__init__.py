"""The report: one HTML file that opens anywhere, asks nothing of a network and tells nothing of a few people."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pmpm_spark.errors import SetupError
from pmpm_spark.small_cells import Shareable
from pmpm_spark.version import __version__

if TYPE_CHECKING:
    from pmpm_spark.report.about import About

NEEDED = ("jinja2", "pygal")
EXTRA = 'pip install "pmpm-spark[report]"'


def missing_packages() -> list[str]:
    """What the report needs and is not installed."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def check_packages() -> None:
    """Nothing, where all is installed.

    Raises:
        SetupError: something is not.
    """
    missing = missing_packages()
    if missing:
        raise SetupError(f"the report lacks {', '.join(missing)}: {EXTRA}")


def report(found: Shareable, about: About) -> str:
    """The whole file as text; the same tables give the same text.

    Raises:
        SetupError: what it is made with is not installed.
    """
    check_packages()
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from pmpm_spark.report import views
    from pmpm_spark.report.about import Year
    from pmpm_spark.report.comparison import comparison
    from pmpm_spark.report.pages import pages

    environment = Environment(
        loader=PackageLoader("pmpm_spark.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.policies["json.dumps_kwargs"] = {}  # in the order given: networks are ranked
    environment.filters |= {"shown": views.shown, "source_lines": _source_lines}
    environment.tests |= {
        "link": lambda value: isinstance(value, views.Link),
        "table_view": lambda value: isinstance(value, views.TableView),
        "chart_view": lambda value: isinstance(value, views.ChartView),
        "lines": lambda value: isinstance(value, tuple),
        "words": lambda value: isinstance(value, list),
    }
    style, script = (_file(environment, name) for name in ("report.css", "report.js"))
    year = Year(found, about.policy.label, about.performance_year)
    figures = ("members", "member_months", "pmpm", "normalized_risk_score", "adjusted_pmpm")
    return environment.get_template("report.html.j2").render(
        pages=pages(year, about),
        data=comparison(year),
        year=about.performance_year,
        policy=about.policy.label,
        policy_hash=about.policy_hash[:12],
        run_id=about.run_id,
        engine=about.engine,
        version=__version__,
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        compare_sources=[f"gold.network_pmpm.{name}" for name in figures],
        split_sources=[f"gold.network_pmpm_by_category.{name}" for name in ("pmpm", "services_per_1000")],
        driver_sources=["gold.network_comparison_parts"],
    )


def _source_lines(told: Iterable[Any]) -> list[str]:
    """A line for each fact or column: what it is called here, and where it comes from."""
    return [f"{one.label}: {one.source}" for one in told]


def _file(environment: Any, name: str) -> str:
    return str(environment.loader.get_source(environment, name)[0])


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
