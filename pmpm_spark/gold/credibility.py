"""How much of a practice's or physician's own figure to believe, and which of them truly differ from their network.

Credibility after Bühlmann and Straub (1970): with member months m, the variance within panels per member month s2 and
the variance between panels a, of the policy and year,

    credibility = m / (m + s2 / a)
    credible figure = credibility x own figure + (1 - credibility) x the network's figure

A panel is a practice or physician inside a network; its figure is the adjusted PMPM, in a year without any score the
PMPM. s2 comes from what members' years differ from their own panel's mean by, a from what panels differ from the mean
of their network's panels by, over all networks of the policy and year. The funnel's limits (Spiegelhalter 2005) are the
network's figure +/- 3.09 standard errors: one panel of 500 that differs by chance alone lies outside.

Squares are summed exactly, in whole cents and millionths of months; between panels, in whole squared dollars. So every
figure is the same whatever the order of the rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.gold.pmpm import SMALL_CELL
from pmpm_spark.measures import per_member_month, ratio
from pmpm_spark.silver.attribution import UNATTRIBUTED
from pmpm_spark.table import Column, flag, quotient, text

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn
    from pyspark.sql import DataFrame

STANDARD_ERRORS = 3.0902323061678132
"""Two-sided 99.8% of the normal distribution."""

CREDIBILITY_COLUMNS: tuple[Column, ...] = (
    quotient("credibility", "weight of the own figure, 0 to 1; null where there is no panel, figure or variance"),
    quotient(
        "credible_adjusted_pmpm", "credibility x own figure + (1 - credibility) x reference_pmpm, US dollars, unrounded"
    ),
    quotient(
        "reference_pmpm", "the network's adjusted_amount, in a year without scores counted_amount, per member month"
    ),
    quotient("funnel_lower", "lower 99.8% limit by member months around reference_pmpm, US dollars; 0 at least"),
    quotient("funnel_upper", "upper 99.8% limit by member months around reference_pmpm, US dollars"),
    flag("is_outlier", f"the own figure lies outside the limits, and it has at least {SMALL_CELL} members"),
    text("credibility_basis", "own figure: adjusted_pmpm, or pmpm in a year without any score"),
    quotient("within_variance", "variance within panels per member month, of policy and year, squared US dollars"),
    quotient("between_variance", "variance between panels of a network, of policy and year, squared US dollars"),
)

_WHOLE = T.DecimalType(18, 0)
_SQUARES = T.DecimalType(20, 0)
_CENTS, _PARTS = 100, 1_000_000
_YEAR = ("policy", "performance_year")


def square_sums() -> list[SparkColumn]:
    """Sums over members from which the variance within a panel comes, without a rounding."""
    cents = (F.col("counted_amount") * _CENTS).cast(_WHOLE)
    parts = (F.col("member_months") * _PARTS).cast(_WHOLE)
    return [
        F.sum(cents * cents).alias("squared_cents"),
        F.sum(cents * parts).alias("cents_by_parts"),
        F.sum(parts * parts).alias("squared_parts"),
    ]


def with_credibility(rows: DataFrame, panel: str, network_pmpm: DataFrame) -> DataFrame:
    """The rows of `pmpm_by` (with `square_sums`) by network and `panel` with the columns of credibility.

    Members of no network, practice or physician are no panel, and a panel without a score has no figure.
    """
    figured = rows.join(F.broadcast(_references(network_pmpm)), [*_YEAR, "network_id"], how="left")
    is_panel = (F.col("network_id") != UNATTRIBUTED) & (F.col(panel) != UNATTRIBUTED) & F.col("figure").isNotNull()
    is_adjusted = F.col("credibility_basis") == "adjusted_pmpm"
    panels = (
        figured.withColumn("figure", F.when(is_adjusted, F.col("adjusted_pmpm")).otherwise(F.col("pmpm")))
        .withColumn("is_panel", is_panel)
        .withColumns(
            {
                "amount": F.when(is_adjusted, F.col("adjusted_amount")).otherwise(F.col("counted_amount")),
                "divisor": F.when(is_adjusted, F.col("normalized_risk_score")).otherwise(F.lit(1.0)),
                "months": F.when(F.col("is_panel"), F.col("member_months")),
            }
        )
    )
    estimated = _with_variances(_with_network_sums(panels, panel))
    months, figure, reference = F.col("member_months").cast("double"), F.col("figure"), F.col("reference_pmpm")
    within, between = F.col("within_variance"), F.col("between_variance")
    own = F.when(between == 0, F.lit(0.0)).otherwise(ratio(between * months, between * months + within))
    limit = STANDARD_ERRORS * F.sqrt(ratio(within, months))
    lower = reference - limit
    told = estimated.withColumns(
        {
            "credibility": F.when(F.col("is_panel") & within.isNotNull(), own),
            "funnel_lower": F.when(F.col("is_panel"), F.when(lower < 0, F.lit(0.0)).otherwise(lower)),
            "funnel_upper": F.when(F.col("is_panel"), reference + limit),
            "reference_pmpm": F.when(F.col("is_panel"), reference),
            "credibility_basis": F.when(F.col("is_panel"), F.col("credibility_basis")),
        }
    )
    weight, lies_outside = F.col("credibility"), (figure < F.col("funnel_lower")) | (figure > F.col("funnel_upper"))
    return told.withColumns(
        {
            "credible_adjusted_pmpm": weight * figure + (1 - weight) * reference,
            "is_outlier": F.when(F.col("funnel_upper").isNotNull(), lies_outside & (F.col("members") >= SMALL_CELL)),
        }
    )


def _references(network_pmpm: DataFrame) -> DataFrame:
    """The figure of each network; in a year in which nobody has a score the unadjusted one.

    From its amounts, since a quotient that is read from a table may differ in its last bit between the engines.
    """
    whole = Window.partitionBy(*_YEAR).rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    has_scores = F.max(F.col("adjusted_amount").isNotNull()).over(whole)
    amount = F.when(has_scores, F.col("adjusted_amount")).otherwise(F.col("counted_amount"))
    return network_pmpm.select(
        *_YEAR,
        "network_id",
        F.when(has_scores, F.lit("adjusted_pmpm")).otherwise(F.lit("pmpm")).alias("credibility_basis"),
        per_member_month(amount, F.col("member_months")).alias("reference_pmpm"),
    )


def _with_network_sums(panels: DataFrame, panel: str) -> DataFrame:
    """With what the spread between panels is measured from: the mean of the network's panels, by member months."""
    whole = Window.partitionBy(*_YEAR, "network_id").rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    of_panel = F.col("is_panel")
    return panels.withColumns(
        {
            "network_months": F.sum("months").over(whole),
            "network_amount": F.sum(F.when(of_panel, F.col("amount"))).over(whole),
            "first_panel": F.min(F.when(of_panel, F.col(panel))).over(whole),
        }
    ).withColumn("is_first", of_panel & (F.col(panel) == F.col("first_panel")))


def _with_variances(panels: DataFrame) -> DataFrame:
    """With within_variance and between_variance of the policy and year, each without bias; the second 0 at least.

    within: sum of squares of (member's dollars - panel's mean x member's months) / sum of (panel's months - squares of
    members' months / panel's months). between: (sum of months x squared difference from the network's mean - within x
    (panels - networks)) / sum of (months - squared months / network's months).
    """
    whole = Window.partitionBy(*_YEAR).rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    of_panel, months = F.col("is_panel"), F.col("months").cast("double")
    squared_months = F.col("squared_parts").cast("double") / (_PARTS * _PARTS)
    by_months = F.col("cents_by_parts").cast("double") / (_CENTS * _PARTS)
    squared_dollars = F.col("squared_cents").cast("double") / (_CENTS * _CENTS)
    mean = ratio(F.col("counted_amount"), F.col("member_months"))
    squares = squared_dollars - 2 * mean * by_months + mean * mean * squared_months
    adjusted = F.when(F.col("members") > 1, F.greatest(squares, F.lit(0.0))).otherwise(F.lit(0.0))
    difference = F.col("figure") - ratio(F.col("network_amount"), F.col("network_months"))
    free_within = F.when(F.col("members") > 1, months - ratio(squared_months, months)).otherwise(F.lit(0.0))
    free_between = months - ratio(months * months, F.col("network_months"))

    def summed(amount: SparkColumn) -> SparkColumn:
        rounded = F.floor(amount + 0.5).cast(_SQUARES)
        return F.sum(F.when(of_panel, rounded)).over(whole).cast("double")

    sums = panels.withColumns(
        {
            "squares_within": summed(ratio(adjusted, F.col("divisor") * F.col("divisor"))),
            "free_within": summed(free_within * _PARTS) / _PARTS,
            "squares_between": summed(months * difference * difference),
            "free_between": summed(free_between * _PARTS) / _PARTS,
            "free_panels": F.sum(F.when(of_panel & ~F.col("is_first"), F.lit(1)).otherwise(F.lit(0))).over(whole),
        }
    )
    within = F.when(F.col("squares_within") > 0, ratio(F.col("squares_within"), F.col("free_within")))
    by_chance = F.col("within_variance") * F.col("free_panels").cast("double")
    between = ratio(F.col("squares_between") - by_chance, F.col("free_between"))
    return sums.withColumn("within_variance", within).withColumn(
        "between_variance", F.when(between < 0, F.lit(0.0)).otherwise(between)
    )
