"""What the due months used and cost by rate cell: both sides of the comparison of allocated against actual.

Cells are those of the contract's budget of the year, matched like rates; without one, those of the rates, and then the
year before is the other side, in the cells of the month a year later (payment-and-outcomes section 4).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.contract_terms import ANY, Budget, Cell, Rate, Terms, most_specific_first
from pmpm_spark.months import number_of
from pmpm_spark.policy import Policy
from pmpm_spark.silver.cost_steps import PHARMACY
from pmpm_spark.silver.truncated_costs import truncates
from pmpm_spark.silver.union import of_run
from pmpm_spark.spark_versions import try_cast
from pmpm_spark.table import MONEY, MONTHS, MONTHS_OF_MANY, Table, column, day, money, small_frame, text

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

BUDGET, PRIOR_YEAR, NONE = "budget", "prior_year", "none"
ACTUAL, COMPARATOR = "actual", "comparator"
_FIGURES = {
    "member_months": MONTHS_OF_MANY,
    "uncounted_months": MONTHS_OF_MANY,
    "services": MONTHS_OF_MANY,
    "amount": MONEY,
}
_MEMBER_CELL = ("contract_id", "coverage_month", "member_cell", "paid_cell")
_CELL_KEY = ("contract_id", "side", "coverage_month", "cell")
_EPOCH, _NEVER = date(1970, 1, 1), date(9999, 12, 31)

CAPITATION_CELLS = Table(
    name="silver.capitation_cells",
    grain="one row per contract, side, month, rate cell and service category of the last capitation run",
    key=("contract_id", "side", "coverage_month", "cell", "service_category"),
    columns=(
        text("contract_id", "contract"),
        text("side", f"{ACTUAL}, or {COMPARATOR}: a month of the year before"),
        day("coverage_month", "first day of the month; of the comparator, of the same month a year later"),
        text("cell", "enrollment type, age band and sex"),
        text("service_category", "first level, in the policy's total; empty text on the row of the member months"),
        column("member_months", MONTHS_OF_MANY, "exposure due; 0 on rows of a category"),
        column("uncounted_months", MONTHS_OF_MANY, "part of member_months that the policy does not count"),
        column("services", MONTHS_OF_MANY, "services that the policy counts x exposure"),
        money("amount", "the policy's dollars x exposure, half up by member, month and category"),
    ),
    key_is_built_in=True,
)

_CELL = T.StructType(
    [
        T.StructField("first_day", T.IntegerType()),
        T.StructField("last_day", T.IntegerType()),
        T.StructField("enrollment_type", T.StringType()),
        T.StructField("age_first", T.IntegerType()),
        T.StructField("age_last", T.IntegerType()),
        T.StructField("sex", T.StringType()),
        T.StructField("cell", T.StringType()),
    ]
)
_YEAR = T.StructType(
    [
        T.StructField("contract_id", T.StringType()),
        T.StructField("year", T.IntegerType()),
        T.StructField("budget_cells", T.ArrayType(_CELL)),
        T.StructField("start_day", T.IntegerType()),
        T.StructField("later_first_day", T.IntegerType()),
        T.StructField("later_last_day", T.IntegerType()),
        T.StructField("rate_cells", T.ArrayType(_CELL)),
    ]
)


@dataclass(frozen=True)
class Compared:
    """What each year of each contract is compared with, and the months of it that are told and payable."""

    comparator: Mapping[tuple[str, int], str]
    years_computed: Sequence[int]
    first_told: int
    last_payable: int

    def months(self, one: Terms, year: int) -> list[date]:
        """The contract's months of a year."""
        first = max(self.first_told, number_of(one.start_date))
        last = min(self.last_payable, number_of(one.end_date))
        return [date(year, month, 1) for month in range(1, 13) if first <= year * 12 + month - 1 <= last]

    def by_budget(self, contracts: Sequence[Terms]) -> list[tuple[Terms, int]]:
        """The contracts and years that are compared with a budget."""
        by_id = {one.contract_id: one for one in contracts}
        return [(by_id[key], year) for (key, year), told in self.comparator.items() if told == BUDGET]


def in_total(budget: Sequence[Budget], policy: Policy) -> list[Budget]:
    """The rows of categories that are in the policy's total."""
    return [row for row in budget if policy.cost.include_pharmacy or row.service_category != PHARMACY]


def compared_with(
    contracts: Sequence[Terms],
    due_years: Collection[tuple[str, int]],
    budget: Sequence[Budget],
    *,
    years_computed: Sequence[int],
    first_told: int,
    last_payable: int,
) -> Compared:
    """The budget of the year, else the year before where something was due in it, else nothing.

    A year of which the policy has no costs is compared with nothing, and nothing is compared with it.
    """
    has_budget = {(row.contract_id, row.year) for row in budget}
    found: dict[tuple[str, int], str] = {}
    compared = Compared(found, years_computed, first_told, last_payable)
    for one in contracts:
        for year in range(first_told // 12, last_payable // 12 + 1):
            if year not in years_computed or not compared.months(one, year):
                continue
            key, before = (one.contract_id, year), (one.contract_id, year - 1)
            has_year_before = before in due_years and year - 1 in years_computed
            found[key] = BUDGET if key in has_budget else PRIOR_YEAR if has_year_before else NONE
    return compared


def without_cell(capitation_due: DataFrame, budget: Sequence[Budget]) -> DataFrame:
    """The due months in a year with a budget that no cell of it matches."""
    years = small_frame(
        capitation_due.sparkSession, [_year(key, of) for key, of in _by_year(budget).items()], _BUDGET_YEAR
    )
    due = _who(capitation_due.where("is_due")).join(F.broadcast(years), ["contract_id", "year"], how="inner")
    return due.where(_first_fit("budget_cells", F.unix_date("coverage_month")).isNull())


_BUDGET_YEAR = T.StructType([field for field in _YEAR.fields if field.name in ("contract_id", "year", "budget_cells")])


def capitation_cells(
    capitation_due: DataFrame,
    member_months: DataFrame,
    member_month_costs: DataFrame,
    truncated_costs: DataFrame | None,
    *,
    contracts: Sequence[Terms],
    rates: Sequence[Rate],
    budget: Sequence[Budget],
    compared: Compared,
    policy: Policy,
) -> DataFrame:
    """Member months, services and dollars of every due month whose costs the policy has."""
    rows, years_computed = _years(contracts, rates, budget, compared), compared.years_computed
    years = F.broadcast(small_frame(capitation_due.sparkSession, rows, _YEAR))
    due = capitation_due.where("is_due").select(
        "contract_id",
        "member_id",
        "coverage_month",
        "exposure",
        "member_cell",
        F.concat_ws(" x ", "enrollment_type", "age_band", "sex").alias("paid_cell"),
    )
    counted = of_run(member_months, [policy], years_computed).where("is_eligible")
    # merged: stored months are so small for their number that Spark would take them for a table to broadcast
    of_policy = counted.select(
        "member_id", F.col("member_month").alias("coverage_month"), F.lit(True).alias("is_counted")
    )
    months = due.join(of_policy.hint("merge"), ["member_id", "coverage_month"], how="left")
    share = F.col("exposure").cast("decimal(7,6)")
    costs = _costs(member_month_costs, truncated_costs, policy, years_computed)
    of_costs = due.join(costs.hint("merge"), ["member_id", "coverage_month"], how="inner").select(
        *_MEMBER_CELL,
        "service_category",
        (F.col("services").cast("decimal(12,0)") * share).alias("services"),
        F.round(F.col("amount") * share, 2).cast(MONEY).alias("amount"),
    )
    of_months = months.select(
        *_MEMBER_CELL,
        F.lit("").alias("service_category"),
        F.col("exposure").alias("member_months"),
        F.when(F.col("is_counted").isNull(), F.col("exposure"))
        .otherwise(F.lit(0).cast(MONTHS))
        .alias("uncounted_months"),
    )
    # who is of one type, age and sex is of one cell: what they add up to is matched, not each month
    sums = _sums(of_months, _MEMBER_CELL).unionByName(_sums(of_costs, _MEMBER_CELL))
    return _sums(_on_sides(_who(sums).join(years, ["contract_id", "year"], how="inner")), _CELL_KEY)


def _sums(rows: DataFrame, key: Sequence[str]) -> DataFrame:
    """Every figure by the key and category; 0 where the rows lack it."""
    sums = rows.groupBy(*key, "service_category").agg(
        *[F.sum(name).alias(name) for name in _FIGURES if name in rows.columns]
    )
    told = [
        (F.col(name) if name in rows.columns else F.lit(0)).cast(kind).alias(name) for name, kind in _FIGURES.items()
    ]
    return sums.select(*key, "service_category", *told)


def _who(of_cells: DataFrame) -> DataFrame:
    """Rows of `member_cell` and month with the enrollment type, age and sex as a rate was looked for."""
    parts = F.split("member_cell", " x ")  # silver.capitation_due says them in one text, an unknown age as a word
    return of_cells.withColumns(
        {
            "year": F.year("coverage_month"),
            "person_type": F.get(parts, F.lit(0)),
            "age": try_cast(F.get(parts, F.lit(1)), "int"),
            "person_sex": F.get(parts, F.lit(2)),
        }
    )


def _first_fit(cells: str, on_day: Column) -> Column:
    """The cell of a member on a day: the first that fits, and the most specific stands first; null where none does."""
    kind, age, sex = F.col("person_type"), F.col("age"), F.col("person_sex")

    def fits(cell: Column) -> Column:
        in_band = F.coalesce((cell["age_first"] <= age) & (cell["age_last"] >= age), F.lit(False))
        return (
            (cell["first_day"] <= on_day)
            & (cell["last_day"] >= on_day)
            & ((cell["enrollment_type"] == ANY) | (cell["enrollment_type"] == kind))
            & (cell["age_first"].isNull() | in_band)
            & ((cell["sex"] == ANY) | (cell["sex"] == sex))
        )

    return F.get(F.filter(cells, fits), F.lit(0))["cell"]


def _on_sides(due: DataFrame) -> DataFrame:
    """What is due of a month as its own actual, and as the comparator of the month a year later where that asks for it.

    A cell that the rates do not have any more keeps the name that it had.
    """
    a_year_later = F.add_months("coverage_month", 12)
    later_day = F.unix_date(a_year_later)
    later_cell = F.coalesce(_first_fit("rate_cells", F.greatest(later_day, F.col("start_day"))), F.col("paid_cell"))
    own_cell = F.when(F.size("budget_cells") > 0, _first_fit("budget_cells", F.unix_date("coverage_month"))).otherwise(
        F.col("paid_cell")
    )
    figures = ("service_category", *_FIGURES)
    own = due.select("contract_id", F.lit(ACTUAL).alias("side"), "coverage_month", own_cell.alias("cell"), *figures)
    later = due.where((later_day >= F.col("later_first_day")) & (later_day <= F.col("later_last_day"))).select(
        "contract_id",
        F.lit(COMPARATOR).alias("side"),
        a_year_later.alias("coverage_month"),
        later_cell.alias("cell"),
        *figures,
    )
    return own.unionByName(later)


def _costs(
    member_month_costs: DataFrame, truncated_costs: DataFrame | None, policy: Policy, years: Sequence[int]
) -> DataFrame:
    """Counted services and dollars by member, month and category, in total."""
    names = ("member_id", "coverage_month", "service_category")
    counted = (
        of_run(member_month_costs, [policy], years)
        .where("exclusion_reason IS NULL AND in_total")
        .select(
            "member_id",
            F.col("member_month").alias("coverage_month"),
            "service_category",
            F.col("counted_services").alias("services"),
            F.col("counted_amount").alias("amount"),
        )
    )
    if truncated_costs is None or not truncates([policy]):
        return counted
    truncated = of_run(truncated_costs, [policy], years).select(
        "member_id",
        F.col("member_month").alias("coverage_month"),
        "service_category",
        F.lit(0).cast("bigint").alias("services"),
        F.col("counted_amount").alias("amount"),
    )
    sums = counted.unionByName(truncated).groupBy(*names)
    return sums.agg(F.sum("services").alias("services"), F.sum("amount").cast(MONEY).alias("amount"))


def _years(
    contracts: Sequence[Terms], rates: Sequence[Rate], budget: Sequence[Budget], compared: Compared
) -> list[tuple[Any, ...]]:
    """A row per contract and year: its budget's cells, and the rates and days of the year that it is compared to."""
    of_budget, by_id = _by_year(budget), {one.contract_id: one for one in contracts}
    of_rates: dict[str, list[Rate]] = {}
    for rate in most_specific_first(rates):
        of_rates.setdefault(rate.contract_id, []).append(rate)
    rows = []
    for contract_id, year in compared.comparator:
        one, later = by_id[contract_id], [_NEVER]
        if compared.comparator.get((contract_id, year + 1)) == PRIOR_YEAR:
            later = compared.months(one, year + 1)
        cells = [_cell(rate, rate.effective_from, rate.effective_to) for rate in of_rates.get(contract_id, [])]
        named = _year((contract_id, year), of_budget.get((contract_id, year), []))
        rows.append((*named, _days(one.start_date), _days(later[0]), _days(later[-1]), cells))
    return rows


def _by_year(budget: Sequence[Budget]) -> dict[tuple[str, int], list[Budget]]:
    found: dict[tuple[str, int], list[Budget]] = {}
    for row in budget:
        found.setdefault((row.contract_id, row.year), []).append(row)
    return found


def _year(key: tuple[str, int], budget: Sequence[Budget]) -> tuple[Any, ...]:
    cells = {row.cell: row for row in budget}
    whole = (date(key[1], 1, 1), date(key[1], 12, 31))
    return (*key, [_cell(row, *whole) for row in most_specific_first(list(cells.values()))])


def _cell(cell: Cell, first: date, last: date) -> dict[str, Any]:
    ages = (None, None) if cell.age_band == ANY else cell.ages
    return {
        "first_day": _days(first),
        "last_day": _days(last),
        "enrollment_type": cell.enrollment_type,
        "age_first": ages[0],
        "age_last": ages[1],
        "sex": cell.sex,
        "cell": cell.cell,
    }


def _days(day_of: date) -> int:
    return (day_of - _EPOCH) // timedelta(days=1)
