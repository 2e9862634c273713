"""Two contracts of the last performance year and what they pay by, as first delivered and as delivered later.

What the later delivery changes for months that were paid is known member by member (`changes`): the first payment run
(`truth.payment_days`) is over the first delivery, the second over the later one. Claims and people are untouched.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from pyspark.sql import Column, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.generate.draws import Draws, lookup
from pmpm_spark.generate.enrollment import NOT_ENROLLED, beneficiary_rows, has_impossible_birthday
from pmpm_spark.generate.people import NEVER
from pmpm_spark.generate.rif import STANDS
from pmpm_spark.generate.truth import (
    BLOCK_MEMBERS,
    CELLS,
    CONTRACT_NETWORKS,
    CONTRACTS,
    FEWEST_OF_FINANCE,
    FINANCES,
    K1,
    K2,
    NETWORKS,
    PLANTED_OF_K1,
    PLANTED_OF_K2,
    STRANGER,
    told_late,
)
from pmpm_spark.months import age_on
from pmpm_spark.table import small_frame

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

WHOLE_YEAR = "F" * 12
_BUDGET_MONTHS = {"AGED_NON_DUAL": 840, "AGED_DUAL": 130, "ESRD": 20, "*": 170}
"""Member months of each cell for 1,000 generated people."""
_BUDGET_USE = {"AGED_NON_DUAL": 0.85, "AGED_DUAL": 1.5, "ESRD": 4.0, "*": 1.1}
_BUDGET = {
    "inpatient": (280, 13_500),
    "outpatient": (1_600, 560),
    "professional": (10_500, 115),
    "skilled_nursing": (40, 11_000),
    "home_health": (70, 2_300),
    "hospice": (100, 3_500),
    "emergency": (370, 780),
    "dme": (1_100, 140),
}
"""Services a year for 1,000 members, and dollars of one."""


def contract_lists(
    spark: SparkSession, member_years: DataFrame, *, members: int, years: tuple[int, int]
) -> dict[str, DataFrame]:
    """The lists as first delivered."""
    return {
        "contracts": _contracts(spark, years[1]),
        "contract_rates": _rates(spark, years[1], is_later=False),
        "contract_members": _listed(spark, member_years, years, is_later=False),
        "contract_budget": _budget(spark, members, years[1]),
        "contract_finance": _finance(spark, members, years[1]),
    }


def later_lists(spark: SparkSession, member_years: DataFrame, *, years: tuple[int, int]) -> dict[str, DataFrame]:
    """The lists that change, as delivered after the first payment run."""
    return {
        "contract_rates": _rates(spark, years[1], is_later=True),
        "contract_members": _listed(spark, member_years, years, is_later=True),
    }


def later_enrollment(member_years: DataFrame, draws: Draws, *, years: tuple[int, int]) -> DataFrame:
    """The beneficiary rows that come with them: who died on 20 January, and who has Medicaid from February on."""
    year = years[1]
    told = with_plants(member_years, years).where(F.col("plant").isin("late death", "cell change"))
    died = F.col("plant") == "late death"
    changed = told.withColumns(
        {
            "death_date": F.when(died, F.lit(date(year, 1, 20))),
            "is_dual": ~died,
            "dual_code": F.lit("02"),
            "dual_from": F.lit(year * 12 + 1).cast("bigint"),
            "dual_to": F.lit(NEVER).cast("bigint"),
        }
    )
    return beneficiary_rows(changed.drop("plant"), draws).where(STANDS)


def changes(member_years: DataFrame, *, years: tuple[int, int], has_enrollment: bool) -> DataFrame:
    """What the second payment run finds of months before it: contract, member, month, reason, amount, and whether the
    contract's limit still lets it be posted.

    `has_enrollment`: the later delivery tells of enrollment, too.
    """
    january, february = date(years[1], 1, 1), date(years[1], 2, 1)
    rate = {(cell.contract_id, cell.enrollment_type): cell.rate for cell in CELLS}
    aged, dual = rate[K1, "AGED_NON_DUAL"], rate[K1, "AGED_DUAL"]
    found = with_plants(member_years, years)
    plant = F.col("plant")

    def line(contract_id: str, month: date, reason: str, amount: Column | int, *, is_posted: bool = True) -> Column:
        return F.struct(
            F.lit(contract_id).alias("contract_id"),
            F.lit(month).alias("coverage_month"),
            F.lit(reason).alias("reason"),
            F.lit(amount).cast("decimal(18,2)").alias("amount"),
            F.lit(is_posted).alias("is_posted"),
        )

    def by_age(month: date) -> Column:
        return _rate_by_age(age_on(F.col("birth_date"), F.lit(month)), F.col("sex"))

    known = {
        "late enrollment": [line(K1, month, "RETRO_ENROLLMENT", aged) for month in (january, february)],
        "late termination": [line(K1, february, "RETRO_TERMINATION", -aged)],
        "moves": [
            line(K1, february, "RETRO_ENROLLMENT", aged),
            line(K2, february, "RETRO_TERMINATION", -by_age(february)),
        ],
        "beyond the limit": [
            line(K2, january, "RETRO_ENROLLMENT", by_age(january), is_posted=False),
            line(K2, february, "RETRO_ENROLLMENT", by_age(february)),
        ],
    }
    if has_enrollment:
        known["late death"] = [line(K1, february, "DEATH", -aged)]
        known["cell change"] = [line(K1, february, "RATE_CELL_CHANGE", dual - aged)]
    frames = [found.where(plant == name).select("member_id", F.inline(F.array(*told))) for name, told in known.items()]
    for cell in CELLS:
        if cell.later_rate is not None:
            told = line(K1, february, "RATE_CHANGE", cell.later_rate - cell.rate)
            frames.append(found.where(_has_esrd(years[1], 2)).select("member_id", F.inline(F.array(told))))
    every = frames[0]
    for frame in frames[1:]:
        every = every.unionByName(frame)
    return every


def with_plants(member_years: DataFrame, years: tuple[int, int]) -> DataFrame:
    """Who is enrolled in the last year and in one of the two networks, each with `plant`: what happens to the person,
    or null."""
    year = years[1]
    network = F.col("network")
    is_steady = (
        (F.col("cover") == WHOLE_YEAR)
        & (F.col("turns_65") < year * 12)
        & (F.col("renal_from") > year * 12 + 11)
        & ~F.col("is_dual")
        & F.col("death_date").isNull()
        & ~has_impossible_birthday(F.col("person"), F.col("year"))
    )
    here = member_years.where(
        (F.col("year") == year)
        & F.col("is_enrolled")
        & (F.col("cover") != NOT_ENROLLED)
        & network.isin(*CONTRACT_NETWORKS)
    ).withColumn("is_steady", is_steady)
    in_order = Window.partitionBy("network", "is_steady").orderBy("person")
    place = F.row_number().over(in_order) - 1
    named = F.when(network == CONTRACT_NETWORKS[0], lookup(PLANTED_OF_K1, place)).otherwise(
        lookup(PLANTED_OF_K2, place)
    )
    return here.withColumn("plant", F.when(F.col("is_steady"), named)).drop("is_steady")


def _listed(spark: SparkSession, member_years: DataFrame, years: tuple[int, int], *, is_later: bool) -> DataFrame:
    """The contracts' lists of members: those of its network, a stranger, and whom both contracts list."""
    year, recorded = years[1], told_late(years)
    found = with_plants(member_years, years)
    plant = F.col("plant")
    none = F.lit(None).cast("date")

    def row(contract_id: Column | str, start: Column, end: Column, recorded_on: Column) -> list[Column]:
        told = {"start_date": start, "end_date": end, "recorded_on": recorded_on}
        return [
            F.lit(contract_id).alias("contract_id"),
            F.col("member_id"),
            *[day.alias(name) for name, day in told.items()],
        ]

    first = F.lit(date(year, 1, 1))
    is_late = plant.isin("late enrollment", "beyond the limit")
    own = found.select(
        *row(
            lookup(CONTRACTS, F.col("network")),
            F.when(plant == "joins on the 15th", F.lit(date(year, 1, 15))).otherwise(first),
            F.when(plant == "late termination", F.lit(date(year, 1, 31))) if is_later else none,
            F.when(is_late, F.lit(recorded)),
        )
    )
    moves = plant == "moves"
    others = found.where(plant.isin("moves", "on both lists")).select(
        *row(K1, F.when(moves, F.lit(date(year, 2, 1))).otherwise(first), none, F.when(moves, F.lit(recorded)))
    )
    nobody = _texts(spark, ["member_id"], [[STRANGER]]).select(*row(K1, first, none, none))
    return own.unionByName(others).unionByName(nobody)


def _has_esrd(year: int, month: int) -> Column:
    """Whether K1 is due for the month by its rate for ESRD: covered outside Medicare Advantage, not dead before it, and
    the year's row readable."""
    first = F.lit(date(year, month, 1))
    return (
        (F.col("network") == CONTRACT_NETWORKS[0])
        & (F.col("renal_from") <= year * 12 + month - 1)
        & F.substr(F.col("cover"), F.lit(month), F.lit(1)).isin("F", "D", "A", "B")
        & (F.col("death_date").isNull() | (F.col("death_date") >= first))
        & ~has_impossible_birthday(F.col("person"), F.col("year"))
    )


def _rate_by_age(age: Column, sex: Column) -> Column:
    """K2's rate of who is 65 or older, written from the list's figures and not from the rules that read it."""
    rate = {(cell.age_band, cell.sex): cell.rate for cell in CELLS if cell.contract_id == K2}
    return (
        F.when(age >= 85, rate["85+", "*"])
        .when((age >= 75) & (sex == "2"), rate["75-84", "F"])
        .when(age >= 75, rate["75-84", "*"])
        .otherwise(rate["65-74", "*"])
    )


def _contracts(spark: SparkSession, year: int) -> DataFrame:
    names = (
        "contract_id", "contract_name", "network_id", "line_of_business", "start_date", "end_date", "coverage_rule",
        "month_reasons", "retro_limit_months", "withhold_share", "benchmark_pmpm", "minimum_savings_rate",
        "savings_share", "savings_cap",
    )  # fmt: skip
    first, second = (NETWORKS[place] for place in CONTRACT_NETWORKS)
    rows = [
        [
            K1, f"{first.name} capitation", first.network_id, "aco", f"{year}-01-01", None, "first_of_month",
            "MEDICARE_ADVANTAGE", "12", "0.02", "640.00", "0.02", "0.5", "0.1",
        ],
        [
            K2, f"{second.name} capitation", second.network_id, "aco", f"{year}-01-01", f"{year}-12-31", "prorated",
            None, "1", "0", None, None, None, None,
        ],
    ]  # fmt: skip
    return _texts(spark, names, rows)


def _rates(spark: SparkSession, year: int, *, is_later: bool) -> DataFrame:
    """One row a cell; a rate that rises ends in the later delivery, and a second row follows it."""
    rows = []
    for cell in CELLS:
        rises = is_later and cell.later_rate is not None
        ends = f"{year}-01-31" if rises else None
        of_cell = [cell.enrollment_type, cell.age_band, cell.sex]
        adjusted = str(cell.risk_adjusted).lower()
        rows.append([cell.contract_id, f"{year}-01-01", ends, *of_cell, f"{cell.rate}.00", adjusted])
        if rises:
            rows.append([cell.contract_id, f"{year}-02-01", None, *of_cell, f"{cell.later_rate}.00", adjusted])
    names = (
        "contract_id", "effective_from", "effective_to", "enrollment_type", "age_band", "sex", "rate", "risk_adjusted",
    )  # fmt: skip
    return _texts(spark, names, rows)


def _budget(spark: SparkSession, members: int, year: int) -> DataFrame:
    names = (
        "contract_id", "year", "enrollment_type", "age_band", "sex", "service_category", "member_months",
        "services_per_1000", "cost_per_service",
    )  # fmt: skip
    rows = []
    for kind, of_thousand in _BUDGET_MONTHS.items():
        months = str(max(1, of_thousand * members // BLOCK_MEMBERS))
        for category, (services, dollars) in _BUDGET.items():
            used = f"{services * _BUDGET_USE[kind]:.6f}"
            rows.append([K1, str(year), kind, "*", "*", category, months, used, f"{dollars}.00"])
    return _texts(spark, names, rows)


def _finance(spark: SparkSession, members: int, year: int) -> DataFrame:
    """What a contract's year costs besides care; K2 tells two of the amounts. Where there may be no member at all
    nothing is returned, since no more than what was withheld can be."""
    names = (
        "contract_id", "year", "withhold_returned", "administrative_cost", "quality_improvement_cost",
        "taxes_and_fees", "program_spending", "delivery_cost",
    )  # fmt: skip
    rows = []
    for contract_id, amounts in FINANCES.items():
        told = [None if dollars is None else dollars * members // BLOCK_MEMBERS for dollars in amounts]
        if told[0] is not None and members < FEWEST_OF_FINANCE:
            told[0] = 0
        rows.append([contract_id, str(year), *[None if dollars is None else f"{dollars}.00" for dollars in told]])
    return _texts(spark, names, rows)


def _texts(spark: SparkSession, names: Sequence[str], rows: Sequence[Sequence[str | None]]) -> DataFrame:
    return small_frame(spark, rows, T.StructType([T.StructField(name, T.StringType()) for name in names]))
