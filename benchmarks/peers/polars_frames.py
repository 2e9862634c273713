"""The reference job in Polars: lazy frames on the streaming engine, all cores, Parquet to Parquet.

    python -m benchmarks.peers.polars_frames INPUT OUT FIRST_YEAR LAST_YEAR

Amounts are summed as whole cents, months as bits of one integer a member and year, and only what is read more than once
is kept in memory: the claims never are.
"""

from __future__ import annotations

import sys
from datetime import date, timedelta
from pathlib import Path

import polars as pl

UNATTRIBUTED, PHARMACY = "UNATTRIBUTED", "pharmacy"
EMERGENCY_CODES = [f"9928{n}" for n in range(1, 6)] + [f"G038{n}" for n in range(5)]
PAYERS = ["A", "B", "D", "E", "F", "G", "H", "I", "L", "W"]
AMOUNTS = ["paid_amount", "allowed_amount"]
BEGINNING, OPEN = date(1900, 1, 1), date(9999, 12, 31)
MEMBER_YEAR = ["member_id", "performance_year"]
IDS = ["tin", "npi", "ccn"]


def month(day: str) -> pl.Expr:
    """Months since year 0."""
    return pl.col(day).dt.year() * 12 + pl.col(day).dt.month().cast(pl.Int32) - 1


def first_day(number: pl.Expr) -> pl.Expr:
    """The first day of the month of this number."""
    return pl.date(number // 12, number % 12 + 1, 1)


def cents(amount: str) -> pl.Expr:
    """A DECIMAL(18, 2) as whole cents."""
    return pl.col(amount).to_physical().cast(pl.Int64)


def dollars(amount: str) -> pl.Expr:
    """Whole cents as a DECIMAL(18, 2)."""
    return (pl.col(amount).cast(pl.Decimal(20, 0)) * pl.lit("0.01").cast(pl.Decimal(4, 2))).cast(pl.Decimal(18, 2))


def bit(place: pl.Expr) -> pl.Expr:
    return pl.lit(2, pl.Int64).pow(place.cast(pl.UInt32))


def bits(first: pl.Expr, last: pl.Expr) -> pl.Expr:
    """The bits from first to last of 24, both inclusive."""
    low, high = first.clip(0, 24), last.clip(-1, 23)
    return pl.when(high >= low).then(bit((high + 1).clip(0, 24)) - bit(low)).otherwise(pl.lit(0, pl.Int64))


def kept(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Computed once, since it is read more than once."""
    return frame.collect(engine="streaming").lazy()


def final_lines(claims: pl.LazyFrame) -> pl.LazyFrame:
    """Lines that no cancel and no replacement removes."""
    removed = kept(claims.filter(pl.col("cancels_claim_id").is_not_null()).select(claim_id="cancels_claim_id").unique())
    return claims.filter(pl.col("adjustment") != "cancel").join(removed, on="claim_id", how="anti")


def line_ids() -> dict[str, pl.Expr]:
    """The ids by which a line meets a roster."""
    is_professional = pl.col("claim_type") == "professional"
    npi = pl.when(is_professional).then("rendering_npi").otherwise("billing_npi")
    ids = {"tin": pl.col("billing_tin"), "npi": npi, "ccn": pl.when(~is_professional).then("facility_ccn")}
    return {name: value.fill_null("") for name, value in ids.items()}


def roster_pieces(claims: pl.LazyFrame, roster: pl.LazyFrame) -> pl.LazyFrame:
    """Combinations of ids, which are few, with the network that they match from one day to another, one a day."""
    combinations = kept(claims.select(**line_ids()).unique())
    rows = roster.select(
        "network_id",
        *[pl.col(name).fill_null("") for name in IDS],
        pl.col("start_date").fill_null(BEGINNING),
        pl.col("end_date").fill_null(OPEN),
    )
    matches = []
    for filled in (["tin"], ["npi"], ["ccn"], ["tin", "npi"], ["tin", "ccn"], ["npi", "ccn"], IDS):
        of_pattern = rows.filter(
            *[(pl.col(name) != "") if name in filled else (pl.col(name) == "") for name in IDS]
        ).select("network_id", "start_date", "end_date", *filled)
        matches.append(combinations.join(of_pattern, on=filled).select(*IDS, "network_id", "start_date", "end_date"))
    on_roster = kept(pl.concat(matches))
    cuts = pl.concat(
        [
            on_roster.select(*IDS, first="start_date"),
            on_roster.filter(pl.col("end_date") < OPEN).select(*IDS, first=pl.col("end_date") + timedelta(days=1)),
        ]
    ).unique()
    pieces = cuts.sort(*IDS, "first").with_columns(
        last=(pl.col("first").shift(-1).over(IDS) - timedelta(days=1)).fill_null(OPEN)
    )
    return kept(
        pieces.join(on_roster, on=IDS)
        .filter(pl.col("start_date") <= pl.col("first"), pl.col("end_date") >= pl.col("last"))
        .group_by(*IDS, "first", "last")
        .agg(pl.col("network_id").min())
    )


def with_network(lines: pl.LazyFrame, pieces: pl.LazyFrame) -> pl.LazyFrame:
    """Summed lines (ids and day among their keys) with `roster_network_id`, null where no roster has them.

    Combinations that stand in one piece from the beginning on take an equality; the others, few, are compared by day.
    """
    once = pieces.group_by(IDS).agg(pl.len().alias("n"), pl.col("network_id", "first", "last").first())
    changing = pieces.join(once.filter(pl.col("n") > 1).select(IDS), on=IDS, how="semi")
    joined = lines.join(once, on=IDS, how="left")
    inside = pl.col("service_thru").is_between("first", "last")
    steady = joined.filter(pl.col("n").is_null() | (pl.col("n") == 1)).with_columns(
        roster_network_id=pl.when(inside).then("network_id")
    )
    moved = (
        joined.filter(pl.col("n") > 1)
        .drop("n", "network_id", "first", "last")
        .sort("service_thru")
        .join_asof(
            changing.sort("first"),
            left_on="service_thru",
            right_on="first",
            by=IDS,
            strategy="backward",
            check_sortedness=False,
        )
        .with_columns(roster_network_id=pl.when(pl.col("service_thru") <= pl.col("last")).then("network_id"))
    )
    names = [*lines.collect_schema().names(), "roster_network_id"]
    return pl.concat([steady.select(names), moved.select(names)])


def claim_costs(lines: pl.LazyFrame, pieces: pl.LazyFrame, years: range) -> pl.LazyFrame:
    """Costs by member, month, category and roster network: the one pass over all lines."""
    is_emergency = (
        pl.col("revenue_code").is_between(pl.lit("0450"), pl.lit("0459"))
        | (pl.col("revenue_code") == "0981")
        | pl.col("hcpcs").is_in(EMERGENCY_CODES)
    )
    emergency = kept(
        lines.filter(pl.col("claim_type") == "outpatient", is_emergency)
        .select("claim_id", is_emergency=pl.lit(True))
        .unique()
    )
    category = (
        pl.when((pl.col("claim_type") == "outpatient") & pl.col("is_emergency"))
        .then(pl.lit("emergency"))
        .when(pl.col("claim_type") == "snf")
        .then(pl.lit("skilled_nursing"))
        .otherwise("claim_type")
    )
    undenied = ~pl.col("is_denied")
    in_years = lines.filter(pl.col("service_thru").is_between(date(years[0], 1, 1), date(years[-1], 12, 31)))
    named = in_years.join(emergency, on="claim_id", how="left").select(
        "member_id",
        "service_thru",
        "is_denied",
        month_number=month("service_thru"),
        service_category=category,
        **line_ids(),
        **{name: cents(name) for name in AMOUNTS},
    )
    return kept(
        with_network(named, pieces)
        .group_by("member_id", "month_number", "service_category", "roster_network_id")
        .agg(
            undenied.sum().cast(pl.Int64).alias("claim_lines"),
            *[pl.col(name).filter(undenied).sum() for name in AMOUNTS],
            (undenied & pl.col("allowed_amount").is_null()).sum().alias("lacks_allowed"),
            pl.col("is_denied").sum().cast(pl.Int64).alias("denied_lines"),
            pl.col("paid_amount").filter("is_denied").sum().alias("denied_paid_amount"),
        )
    )


def runs_of_months(records: pl.LazyFrame, told_first: int, told_last: int) -> pl.LazyFrame:
    """Coverage as runs of months whose first day it covers. The few members whose records overlap go by single months:
    the record recorded last, then starting last, then of the lowest plan has the day."""
    end = pl.col("coverage_end").fill_null(OPEN)
    dated = kept(
        records.select(
            "member_id",
            "recorded_on",
            "coverage_start",
            "plan_id",
            coverage_end=end,
            touch_first=month("coverage_start").clip(told_first),
            look_first=(month("coverage_start") + (pl.col("coverage_start").dt.day() > 1).cast(pl.Int32)).clip(
                told_first
            ),
            is_both=(pl.col("has_part_a") & pl.col("has_part_b")).fill_null(False),
            is_managed=pl.col("in_medicare_advantage").fill_null(False),
            is_secondary=pl.col("medicare_is_secondary"),
        )
        .with_columns(look_last=month("coverage_end").clip(upper_bound=told_last))
        .sort("member_id", "coverage_start", "coverage_end")
    )
    runs = ["member_id", "touch_first", "look_first", "look_last", "is_both", "is_managed", "is_secondary"]
    ends = pl.col("coverage_end").cum_max().shift(1).over("member_id")
    mixed = kept(dated.filter(pl.col("coverage_start") <= ends).select("member_id").unique())
    single = dated.join(mixed, on="member_id", how="anti").select(runs)
    months = (
        dated.join(mixed, on="member_id", how="semi")
        .with_columns(month_number=pl.int_ranges("look_first", pl.col("look_last") + 1, dtype=pl.Int32))
        .explode("month_number")
        .drop_nulls("month_number")
        .sort("recorded_on", "coverage_start", "plan_id", descending=[True, True, False])
        .unique(["member_id", "month_number"], keep="first", maintain_order=True)
        .select(
            "member_id",
            *[pl.col("month_number").alias(name) for name in ("touch_first", "look_first", "look_last")],
            *runs[4:],
        )
    )
    touched = dated.join(mixed, on="member_id", how="semi").select(
        "member_id",
        "touch_first",
        (pl.col("look_last") + 1).alias("look_first"),
        "look_last",
        pl.lit(False).alias("is_both"),
        pl.lit(False).alias("is_managed"),
        "is_secondary",
    )
    return kept(pl.concat([single, months, touched]))


def member_years(
    runs: pl.LazyFrame, members: pl.LazyFrame, lines: pl.LazyFrame, told_first: int, told_last: int, years: range
) -> pl.LazyFrame:
    """Months of a member's year and the year before as bits: bit 12 is January of the year."""
    named = (
        lines.filter(pl.col("primary_payer_code").is_in(PAYERS), ~pl.col("is_denied"), pl.col("claim_type") != PHARMACY)
        .select("member_id", month_number=month("service_thru"))
        .unique()
        .join(runs.filter(pl.col("is_secondary").is_not_null()).select("member_id"), on="member_id", how="anti")
    )
    claims = (
        named.with_columns(performance_year=pl.col("month_number") // 12)
        .filter(pl.col("performance_year").is_between(years[0], years[-1]))
        .group_by(MEMBER_YEAR)
        .agg(bit(pl.col("month_number") % 12 + 12).bitwise_or().alias("named"))
    )
    of_years = []
    for year in years:
        origin = (year - 1) * 12
        looked = bits(pl.col("look_first") - origin, pl.col("look_last") - origin)
        of_years.append(
            runs.filter(pl.col("look_last") >= origin, pl.col("touch_first") <= origin + 23)
            .group_by("member_id")
            .agg(
                bits(pl.col("touch_first") - origin, pl.col("look_last") - origin).bitwise_or().alias("touched"),
                looked.bitwise_or().alias("covered"),
                *[
                    pl.when(name).then(looked).otherwise(pl.lit(0, pl.Int64)).bitwise_or().alias(name)
                    for name in ("is_both", "is_managed", "is_secondary")
                ],
            )
            .with_columns(performance_year=pl.lit(year, pl.Int32))
        )
    origin = (pl.col("performance_year") - 1) * 12
    return kept(
        pl.concat(of_years)
        .join(claims, on=MEMBER_YEAR, how="left")
        .join(members.select("member_id", death_month=month("death_date")), on="member_id", how="left")
        .with_columns(
            named=pl.col("named").fill_null(0),
            needed=bits(told_first - origin, pl.min_horizontal(pl.lit(told_last), "death_month") - origin),
            year_bits=bits(pl.max_horizontal(pl.lit(told_first) - origin, 12), told_last - origin),
        )
        .filter((pl.col("touched") & pl.col("year_bits")) != 0)
    )


def member_months(of_years: pl.LazyFrame) -> pl.LazyFrame:
    """Every told month of every member year with the reason that excludes it; months are made last."""
    of_month = bit(pl.col("k") + 12)
    number = pl.col("performance_year") * 12 + pl.col("k")
    return kept(
        of_years.join(pl.LazyFrame({"k": range(12)}, schema={"k": pl.Int32}), how="cross")
        .filter((pl.col("year_bits") & of_month) != 0)
        .select(
            *MEMBER_YEAR,
            month_number=number,
            exclusion_reason=pl.when(number > pl.col("death_month"))
            .then(pl.lit("DECEASED"))
            .when((pl.col("covered") & of_month) == 0)
            .then(pl.lit("NOT_ENROLLED"))
            .when((pl.col("is_both") & pl.col("needed")) != pl.col("needed"))
            .then(pl.lit("NOT_IN_PART_A_AND_B"))
            .when((pl.col("is_managed") & of_month) != 0)
            .then(pl.lit("MEDICARE_ADVANTAGE"))
            .when(((pl.col("is_secondary") | pl.col("named")) & of_month) != 0)
            .then(pl.lit("MEDICARE_SECONDARY")),
        )
    )


def attribution(
    lines: pl.LazyFrame, codes: pl.LazyFrame, pieces: pl.LazyFrame, of_years: pl.LazyFrame, years: range
) -> pl.LazyFrame:
    """Most allowed charges for primary care on undenied professional lines.

    Ties by latest day, then a network, then the lowest id.
    """
    counted = (
        codes.filter(pl.col("program") == "plurality")
        .with_columns(performance_year=pl.int_ranges("first_year", pl.col("last_year") + 1, dtype=pl.Int32))
        .explode("performance_year")
        .filter(pl.col("performance_year").is_between(years[0], years[-1]))
        .select("hcpcs", "performance_year")
        .unique()
    )
    charge = pl.coalesce(
        cents("allowed_amount"), cents("paid_amount").fill_null(0) + cents("patient_paid_amount").fill_null(0)
    )
    services = (
        lines.filter(pl.col("claim_type") == "professional", ~pl.col("is_denied"), charge > 0)
        .select(
            "member_id",
            "hcpcs",
            "service_thru",
            performance_year=pl.col("service_thru").dt.year(),
            **line_ids(),
            amount=charge,
        )
        .join(counted, on=["hcpcs", "performance_year"], how="semi")
        .group_by(*MEMBER_YEAR, *IDS, "service_thru")
        .agg(pl.col("amount").sum())
    )
    is_outside = pl.col("roster_network_id").is_null()
    measured = kept(
        with_network(services, pieces)
        .filter(~is_outside | (pl.col("tin") != ""))
        .group_by(
            *MEMBER_YEAR,
            "npi",
            "tin",
            candidate=pl.coalesce("roster_network_id", pl.lit("TIN:") + pl.col("tin")),
            is_outside=is_outside,
        )
        .agg(pl.col("amount").sum(), latest=pl.col("service_thru").max())
    )

    def most(rows: pl.LazyFrame, *key: str) -> pl.LazyFrame:
        """The key with the largest sum of each member year."""
        return (
            rows.group_by(*MEMBER_YEAR, *key)
            .agg(pl.col("amount").sum(), pl.col("latest").max())
            .sort("amount", "latest", *key, descending=[True, True, *[False for _ in key]])
            .unique(MEMBER_YEAR, keep="first", maintain_order=True)
            .select(*MEMBER_YEAR, *key)
        )

    winners = kept(most(measured, "is_outside", "candidate"))
    inside = measured.filter(~pl.col("is_outside")).join(winners, on=[*MEMBER_YEAR, "candidate"], how="semi")
    found = (
        winners.with_columns(network_id=pl.when(~pl.col("is_outside")).then("candidate"))
        .join(most(inside.filter(pl.col("tin") != ""), "tin"), on=MEMBER_YEAR, how="left")
        .join(most(inside.filter(pl.col("npi") != ""), "npi"), on=MEMBER_YEAR, how="left")
    )
    return kept(
        of_years.select(MEMBER_YEAR)
        .join(found, on=MEMBER_YEAR, how="full", coalesce=True)
        .select(
            *MEMBER_YEAR,
            pl.col("network_id").fill_null(UNATTRIBUTED),
            practice_tin=pl.col("tin").fill_null(UNATTRIBUTED),
            physician_npi=pl.col("npi").fill_null(UNATTRIBUTED),
        )
    )


def member_month_costs(costs: pl.LazyFrame, months: pl.LazyFrame, whose: pl.LazyFrame) -> pl.LazyFrame:
    """Costs by member, month and category, with the month's reason."""
    grain = ["performance_year", "member_id", "month_number", "service_category", "network_id"]
    is_own = (pl.col("roster_network_id") == pl.col("network_id")).fill_null(False)
    judged = months.with_columns(is_member_month=pl.lit(True))
    return kept(
        costs.with_columns(performance_year=pl.col("month_number") // 12)
        .join(whose.select(*MEMBER_YEAR, "network_id"), on=MEMBER_YEAR, how="left")
        .with_columns(pl.col("network_id").fill_null(UNATTRIBUTED))
        .group_by(grain)
        .agg(
            pl.col("claim_lines", "paid_amount", "allowed_amount", "lacks_allowed").sum(),
            pl.col("paid_amount").filter(is_own).sum().alias("in_network_paid_amount"),
            pl.col("denied_lines", "denied_paid_amount").sum(),
        )
        .join(judged.drop("performance_year"), on=["member_id", "month_number"], how="left")
        .select(
            *grain,
            "claim_lines",
            "paid_amount",
            "in_network_paid_amount",
            "denied_lines",
            "denied_paid_amount",
            allowed_amount=pl.when(pl.col("lacks_allowed") == 0).then("allowed_amount"),
            exclusion_reason=pl.when("is_member_month").then("exclusion_reason").otherwise(pl.lit("NOT_ENROLLED")),
            in_total=pl.col("service_category") != PHARMACY,
        )
    )


def member_sums(months: pl.LazyFrame, costs: pl.LazyFrame, whose: pl.LazyFrame, scores: pl.LazyFrame) -> pl.LazyFrame:
    """One row a member and year with an eligible month."""
    amounts = ["paid_amount", "in_network_paid_amount"]
    counted = costs.filter("in_total", pl.col("exclusion_reason").is_null())
    return kept(
        months.filter(pl.col("exclusion_reason").is_null())
        .group_by(MEMBER_YEAR)
        .agg(pl.len().cast(pl.Int64).alias("member_months"))
        .join(counted.group_by(MEMBER_YEAR).agg(pl.col(amounts).sum()), on=MEMBER_YEAR, how="left")
        .with_columns(pl.col(amounts).fill_null(0))
        .join(whose, on=MEMBER_YEAR, how="left")
        .join(
            scores.select(*MEMBER_YEAR, pl.col("risk_score").to_physical().cast(pl.Int64)), on=MEMBER_YEAR, how="left"
        )
    )


def pmpm_by(keys: list[str], sums: pl.LazyFrame, factors: pl.LazyFrame) -> pl.LazyFrame:
    """Sums of members, then the quotients."""
    rows = (
        sums.group_by("performance_year", *keys)
        .agg(
            pl.len().cast(pl.Int64).alias("members"),
            pl.col("member_months", "paid_amount", "in_network_paid_amount").sum(),
            pl.col("risk_score").count().cast(pl.Int64).alias("scored_members"),
            pl.col("risk_score").sum().alias("millionths"),
        )
        .join(factors, on="performance_year", how="left")
    )
    score = pl.when(pl.col("scored_members") > 0).then(pl.col("millionths") / 1_000_000 / pl.col("scored_members"))
    normalized = score / pl.col("normalization_factor")
    paid = pl.col("paid_amount") / 100
    return rows.select(
        "performance_year",
        *keys,
        "members",
        "member_months",
        dollars("paid_amount"),
        dollars("in_network_paid_amount"),
        "scored_members",
        pmpm=paid / pl.col("member_months"),
        risk_score=score,
        normalized_risk_score=normalized,
        adjusted_pmpm=paid / normalized / pl.col("member_months"),
    )


def by_month(months: pl.LazyFrame, costs: pl.LazyFrame, whose: pl.LazyFrame) -> pl.LazyFrame:
    key = ["network_id", "month_number"]
    members = (
        months.filter(pl.col("exclusion_reason").is_null())
        .join(whose.select(*MEMBER_YEAR, "network_id"), on=MEMBER_YEAR)
        .group_by(key)
        .agg(pl.len().cast(pl.Int64).alias("members"))
    )
    counted = costs.filter("in_total", pl.col("exclusion_reason").is_null())
    return (
        members.join(counted.group_by(key).agg(pl.col("paid_amount").sum()), on=key, how="left")
        .with_columns(pl.col("paid_amount").fill_null(0))
        .select(
            "network_id",
            first_day(pl.col("month_number")).alias("member_month"),
            "members",
            pl.col("members").alias("member_months"),
            dollars("paid_amount"),
            pmpm=pl.col("paid_amount") / 100 / pl.col("members"),
        )
    )


def by_category(networks: pl.LazyFrame, costs: pl.LazyFrame) -> pl.LazyFrame:
    key = ["performance_year", "network_id", "service_category"]
    counted = costs.filter(pl.col("exclusion_reason").is_null(), pl.col("claim_lines") > 0)
    rows = counted.group_by(key).agg(pl.col("claim_lines", "paid_amount").sum())
    always = networks.select(
        "performance_year",
        "network_id",
        pl.lit(PHARMACY).alias("service_category"),
        pl.lit(0, pl.Int64).alias("claim_lines"),
        pl.lit(0, pl.Int64).alias("paid_amount"),
    )
    return (
        pl.concat([rows, always], how="diagonal")
        .group_by(key)
        .agg(pl.col("claim_lines", "paid_amount").sum())
        .join(networks.select("performance_year", "network_id", "member_months"), on=["performance_year", "network_id"])
        .select(
            *key,
            "member_months",
            "claim_lines",
            dollars("paid_amount"),
            in_total=pl.col("service_category") != PHARMACY,
            pmpm=pl.col("paid_amount") / 100 / pl.col("member_months"),
        )
    )


def excluded(months: pl.LazyFrame, costs: pl.LazyFrame) -> pl.LazyFrame:
    grain = ["performance_year", "kind", "reason"]
    out = pl.col("exclusion_reason").is_not_null()
    of_months = (
        months.filter(out)
        .group_by("performance_year", reason="exclusion_reason")
        .agg(pl.len().cast(pl.Int64).alias("member_months"))
        .with_columns(kind=pl.lit("month"))
    )

    def part(rows: pl.LazyFrame, reason: pl.Expr, lines: pl.Expr, paid: pl.Expr) -> pl.LazyFrame:
        return rows.select("performance_year", reason=reason, claim_lines=lines, paid_amount=paid)

    both = pl.col("claim_lines") + pl.col("denied_lines"), pl.col("paid_amount") + pl.col("denied_paid_amount")
    denied = pl.col("denied_lines"), pl.col("denied_paid_amount")
    own = pl.col("claim_lines"), pl.col("paid_amount")
    of_dollars = (
        pl.concat(
            [
                part(costs.filter(~pl.col("in_total")), pl.lit("PHARMACY"), *both),
                part(costs.filter("in_total", pl.col("denied_lines") > 0), pl.lit("DENIED"), *denied),
                part(costs.filter("in_total", out, pl.col("claim_lines") > 0), pl.col("exclusion_reason"), *own),
            ]
        )
        .group_by("performance_year", "reason")
        .agg(pl.col("claim_lines", "paid_amount").sum())
        .with_columns(dollars("paid_amount"), kind=pl.lit("dollar"))
    )
    rows = pl.concat([of_months, of_dollars], how="diagonal")
    return rows.select(*grain, "member_months", "claim_lines", "paid_amount")


def run(source: str, out: str, first_year: int, last_year: int) -> None:
    """Write the eight tables below `out`."""
    years = range(first_year, last_year + 1)
    Path(out).mkdir(parents=True)

    def scanned(name: str) -> pl.LazyFrame:
        return pl.scan_parquet(f"{source}/{name}/*.parquet")

    def written(frame: pl.LazyFrame, name: str) -> None:
        frame.sink_parquet(f"{out}/{name}.parquet", compression="zstd")

    claims, records, roster = (
        scanned("common/claim_lines"),
        scanned("common/coverage_records"),
        scanned("lists/network_roster"),
    )
    lines = final_lines(claims)
    pieces = roster_pieces(claims, roster)
    costs = claim_costs(lines, pieces, years)

    end = pl.col("coverage_end").fill_null(OPEN)
    last_told = pl.when(end < OPEN).then("coverage_end").otherwise("coverage_start").max()
    told = records.select(first=pl.col("coverage_start").min(), last=last_told).collect(engine="streaming")
    told_first, told_last = (day.year * 12 + day.month - 1 for day in told.row(0))

    runs = runs_of_months(records, told_first, told_last)
    of_years = member_years(runs, scanned("common/members"), lines, told_first, told_last, years)
    months = member_months(of_years)
    codes = pl.scan_parquet(f"{source}/reference/primary_care_hcpcs.parquet")
    whose = attribution(lines, codes, pieces, of_years, years)
    by_category_of_month = member_month_costs(costs, months, whose)
    sums = member_sums(months, by_category_of_month, whose, scanned("lists/risk_scores"))
    factors = pl.scan_parquet(f"{source}/reference/normalization_factors.parquet")

    month_day = first_day(pl.col("month_number")).alias("member_month")
    is_eligible = pl.col("exclusion_reason").is_null().alias("is_eligible")
    written(months.select(*MEMBER_YEAR, month_day, is_eligible, "exclusion_reason"), "member_months")
    written(whose, "attribution")
    amounts = ("paid_amount", "allowed_amount", "in_network_paid_amount", "denied_paid_amount")
    written(
        by_category_of_month.with_columns(month_day, *[dollars(name) for name in amounts]).drop("month_number"),
        "member_month_costs",
    )
    blank = [pl.col(name).fill_null("") for name in IDS]
    dated = [pl.col("start_date").fill_null(BEGINNING), pl.col("end_date").fill_null(OPEN)]
    names = (
        roster.with_columns(*blank, *dated)
        .sort("start_date", "end_date", *IDS)
        .group_by("network_id", maintain_order=True)
        .agg(pl.col("network_name").last())
    )
    networks = kept(pmpm_by(["network_id"], sums, factors).join(names, on="network_id", how="left"))
    written(networks, "network_pmpm")
    written(pmpm_by(["network_id", "physician_npi"], sums, factors), "physician_pmpm")
    written(by_month(months, by_category_of_month, whose), "network_pmpm_by_month")
    written(by_category(networks, by_category_of_month), "network_pmpm_by_category")
    written(excluded(months, by_category_of_month), "excluded")


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
