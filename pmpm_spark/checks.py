"""What a run checks beside its tables, and what it says in plain words. No line names a member."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.config import TABULAR, RunConfig, line_or_row
from pmpm_spark.errors import ConfigError, InputError
from pmpm_spark.gold.excluded import EXCLUDED
from pmpm_spark.gold.pmpm import SMALL_CELL
from pmpm_spark.gold.risk import ALL_TYPES
from pmpm_spark.identities import IDENTITIES
from pmpm_spark.intake import deaths_before_birth
from pmpm_spark.model import (
    CONTRACTS,
    COVERAGE_RECORDS,
    ENROLLMENT_ROWS,
    FINAL_CLAIM_LINES,
    LOAD_AUDIT,
    MEMBER_ATTRIBUTION,
    NETWORK_ROSTER,
)
from pmpm_spark.model.intake import UNMATCHED
from pmpm_spark.months import number_of
from pmpm_spark.outcome_checks import outcome_notices
from pmpm_spark.program_checks import PROGRAMS, asked_months, code_set_years, program_notices
from pmpm_spark.reference import (
    COMPLETION_FACTORS_SUPPLIED,
    RISK_MEANS,
    SERVICE_CATEGORIES,
    TRUNCATION_LIMITS_SUPPLIED,
    alignment_periods,
    reference_rows,
)
from pmpm_spark.risk_checks import risk_notices
from pmpm_spark.silver.attribution import UNATTRIBUTED
from pmpm_spark.silver.claim_costs import CLAIM_COSTS
from pmpm_spark.silver.claim_lags import CLAIM_LAGS
from pmpm_spark.silver.cost_steps import PHARMACY
from pmpm_spark.silver.member_years import MEMBER_YEARS
from pmpm_spark.silver.risk_scores import RISK_SCORES
from pmpm_spark.silver.roster_match import shared_providers
from pmpm_spark.silver.service_categories import OTHER, check_rules, rules_in_order
from pmpm_spark.silver.told_months import OPEN_ENDED, TOLD_MONTHS
from pmpm_spark.silver.union import of_run
from pmpm_spark.sources.kinds import SOURCE_KINDS
from pmpm_spark.strict_lists import MOST_LINES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row

    from pmpm_spark.store import Store

MOST_CODES = 5
"""So many codes of the lines that no rule puts into a category are named."""
MOST_REASONS = 3
"""So many reasons of rejected rows are named in an error."""
NO_PARTS = "NOT_IN_PART_A_AND_B"
"""The reason of all months of a source that tells no Part A and B."""


def check_factors(store: Store, config: RunConfig, factor_years: set[int]) -> None:
    """Every year that has scores must have its normalization factor.

    Raises:
        InputError: names the year.
    """
    if all(policy.risk.normalization != "table" for policy in config.policies):
        return
    unknown = [year for year in config.performance_years if year not in factor_years]
    if not unknown:
        return
    scores = store.read(RISK_SCORES).where(F.col("performance_year").isin(*unknown))
    years = sorted(row[0] for row in scores.select("performance_year").distinct().collect())
    if years:
        raise InputError(
            f"normalization_factors: there is no factor for {years[0]}, which has risk scores; add it in a folder "
            f"named in [reference] path, or set policy.risk.normalization to population"
        )


def check_carried(config: RunConfig) -> None:
    """No policy counts what was paid for a claim type of which the source does not tell it.

    Raises:
        ConfigError: names the policy and the claim type.
    """
    for policy in config.policies:
        if policy.cost.include_pharmacy and PHARMACY in SOURCE_KINDS[config.source.kind].unpaid:
            raise ConfigError(
                f"policy {policy.label}: cost.include_pharmacy counts what was paid for {PHARMACY}, which "
                f'source.kind = "{config.source.kind}" does not carry'
            )


def check_supplied(config: RunConfig) -> None:
    """What a policy takes as supplied stands in the reference tables.

    Raises:
        InputError: names the table and what it lacks.
    """
    by_method = {
        method: [policy.label for policy in config.policies if getattr(policy.cost, method) == "supplied"]
        for method in ("completion", "truncation")
    }
    if by_method["completion"]:
        rows = reference_rows(COMPLETION_FACTORS_SUPPLIED, config.reference.path)
        if not rows:
            raise InputError(
                f"completion_factors: there is no factor for policy {by_method['completion'][0]}; add the file in a "
                "folder named in [reference] path"
            )
        for category, months, factor, _ in rows:
            if not 0 < factor <= 1 or months < 0:
                raise InputError(
                    f"completion_factors: {category} at {months} months is {factor}: a factor is the share already "
                    "paid, above 0 and up to 1, and months are 0 or more"
                )
    if by_method["truncation"]:
        rows = reference_rows(TRUNCATION_LIMITS_SUPPLIED, config.reference.path)
        for year in config.performance_years:
            if year not in {row[0] for row in rows}:
                raise InputError(
                    f"truncation_limits: there is no limit of {year} for policy {by_method['truncation'][0]}; add it "
                    "in a folder named in [reference] path"
                )
        for year, enrollment_type, limit, _ in rows:
            if limit < 0:
                raise InputError(f"truncation_limits: {enrollment_type} in {year} is {limit}, below 0")


def check_categories(config: RunConfig) -> None:
    """The rules of the service categories can be read.

    Raises:
        InputError: names the rule and what is wrong with it.
    """
    check_rules(rules_in_order(reference_rows(SERVICE_CATEGORIES, config.reference.path)))


def check_caps(config: RunConfig) -> None:
    """A cap on the growth of risk needs its reference year in the run.

    Raises:
        ConfigError: names the policy and the year.
    """
    for policy in config.policies:
        year = policy.risk.cap_reference_year
        if policy.risk.cap != "none" and year not in config.performance_years:
            raise ConfigError(f"policy {policy.label}: risk.cap_reference_year = {year} is not among performance_years")


def check_risk_means(store: Store, config: RunConfig) -> None:
    """Every year and enrollment type with scores has its supplied mean.

    Raises:
        InputError: names the year and the type.
    """
    means = {(row[0], row[1]): row[2] for row in reference_rows(RISK_MEANS, config.reference.path)}
    for policy in config.policies:
        if policy.risk.normalization != "supplied":
            continue
        scored = of_run(store.read(MEMBER_YEARS), [policy], config.performance_years).where("risk_score IS NOT NULL")
        kinds = sorted(tuple(row) for row in scored.select("performance_year", "enrollment_type").distinct().collect())
        for year, kind in kinds:
            wanted = kind if policy.risk.by_enrollment_type else ALL_TYPES
            if means.get((year, wanted), 0) <= 0:
                raise InputError(
                    f"risk_means: there is no mean above 0 of {wanted} in {year}, which has risk scores; policy "
                    f"{policy.label} takes it from a folder named in [reference] path"
                )


def check_paid_months(store: Store, config: RunConfig) -> None:
    """A policy that completes needs to know when claims were paid.

    Raises:
        InputError: no line tells it.
    """
    completing = [policy.label for policy in config.policies if policy.cost.completion != "none"]
    if completing and not store.read(CLAIM_LAGS).limit(1).collect():
        raise InputError(
            f"policy {completing[0]}: cost.completion counts months of run-out, but the source tells of no claim line "
            "when it was paid"
        )


def check_rejects(store: Store, config: RunConfig, rejects: Callable[[], DataFrame] | None = None) -> None:
    """No file has more rejects than `source.max_reject_share` allows. What a later delivery may mend is no fault.
    `rejects` are the rejected rows, which are not published then.

    Raises:
        InputError: names the file, how many of its rows are rejected, the first lines of them, and the most frequent
            reasons.
    """
    unmatched = sum(
        (F.coalesce(F.try_element_at("rejected_by_reason", F.lit(reason)), F.lit(0)) for reason in UNMATCHED), F.lit(0)
    )
    faulty = F.col("rejected") - unmatched
    worst = (
        store.read(LOAD_AUDIT)
        .select("_bronze_table", "_source_file", "_batch_id", "rows_read", faulty.alias("faulty"), "rejected_by_reason")
        .where(F.col("faulty") > F.col("rows_read") * config.source.max_reject_share)
        .orderBy(F.desc("faulty"), "_source_file")
        .limit(1)
        .collect()
    )
    for file in worst:
        lines = _first_lines(rejects(), file, config) if rejects is not None else ""
        raise InputError(
            f"{file['_source_file']}: {file['faulty']:,} of {file['rows_read']:,} rows are rejected{lines} "
            f"({_most_frequent(file['rejected_by_reason'])}), more than source.max_reject_share = "
            f"{config.source.max_reject_share} allows; nothing is published"
        )


def _first_lines(rejects: DataFrame, file: Row, config: RunConfig) -> str:
    """Where the first faulty rows of a file stand. The number of a line tells nothing of a member."""
    faults = reduce(F.array_remove, UNMATCHED, F.col("reject_reasons"))
    of_file = rejects.where(
        (F.col("_bronze_table") == file["_bronze_table"])
        & (F.col("_source_file") == file["_source_file"])
        & (F.col("_batch_id") == file["_batch_id"])
        & (F.size(faults) > 0)
    )
    found = of_file.select("_source_row").orderBy("_source_row").limit(MOST_LINES).collect()
    if not found:
        return ""
    numbers = ", ".join(str(row["_source_row"]) for row in found)
    setting = file["_bronze_table"].partition(".")[2]
    word = line_or_row(getattr(config.source.formats, setting, config.source.format))
    return f", {word}{'s' if len(found) > 1 else ''} {numbers}{' and others' if file['faulty'] > len(found) else ''}"


def _most_frequent(rejected_by_reason: Mapping[str, int]) -> str:
    """The faults that most rows have, with their counts. A reason never holds a value."""
    faults = [(rows, reason) for reason, rows in rejected_by_reason.items() if reason not in UNMATCHED]
    first = sorted(faults, key=lambda fault: (-fault[0], fault[1]))[:MOST_REASONS]
    return "; ".join(f"{rows:,}: {reason}" for rows, reason in first)


def check_parts_of_payments(store: Store, config: RunConfig) -> None:
    """A policy that leaves a part of payments out needs a source that tells it.

    Raises:
        InputError: names the claim type that lacks it, and the amount.
    """
    leaves_out = {
        "exclude_ime_dsh_uncompensated": ("ime_amount", "dsh_amount", "uncompensated_care_amount"),
        "include_pass_through": ("pass_through_amount",),
    }
    for policy in config.policies:
        told = {"exclude_ime_dsh_uncompensated": True, "include_pass_through": False}
        chosen = [setting for setting, value in told.items() if getattr(policy.cost, setting) is value]
        if not chosen:
            continue
        names = [(setting, name) for setting in chosen for name in leaves_out[setting]]
        stays = store.read(FINAL_CLAIM_LINES).where("claim_type = 'inpatient' AND NOT is_denied")
        lines = F.count(F.lit(1)).alias("lines")
        row = stays.agg(lines, *[F.count(name).alias(name) for _, name in names]).collect()[0]
        for setting, name in names:
            if row["lines"] and not row[name]:
                raise InputError(
                    f"policy {policy.label}: cost.{setting} = {str(told[setting]).lower()} leaves it out, but the "
                    f"source carries no {name} for inpatient"
                )


def check_allowed_amounts(store: Store, config: RunConfig) -> None:
    """A policy that counts allowed amounts needs them on every claim in its total.

    Raises:
        InputError: names the claim types of which a line carries none.
    """
    for policy in config.policies:
        if policy.cost.amount != "allowed":
            continue
        lacks = F.expr("NOT is_denied AND allowed_amount IS NULL")
        if not policy.cost.include_pharmacy:
            lacks &= F.col("service_category") != PHARMACY
        found = sorted(row[0] for row in store.read(CLAIM_COSTS).where(lacks).select("claim_type").distinct().collect())
        if found:
            raise InputError(
                f'policy {policy.label}: cost.amount is "allowed", but the source carries no allowed amount for '
                f"{', '.join(found)}"
            )


def run_notices(store: Store, config: RunConfig) -> list[str]:
    """What a careful analyst wants to know before believing the figures."""
    notices = [
        *_told(store, config),
        *_intake(store),
        *_given_way(store, config),
        *_rosters(store, config),
        *program_notices(store, config),
        *_enrollment(store, config),
        *other_categories(store),
    ]
    of_source = SOURCE_KINDS[config.source.kind].notices(store.read)
    return [
        *notices,
        *of_source,
        *_scores(store, config),
        *risk_notices(store, config),
        *_code_sets(config),
        *outcome_notices(store, config),
    ]


def birth_notices(store: Store, config: RunConfig) -> list[str]:
    """Where a death before the birth is told, and how many members have one."""
    found = deaths_before_birth(store.read(ENROLLMENT_ROWS)).orderBy("_source_file", "_source_row")
    total = found.agg(F.count(F.lit(1)).alias("n")).collect()[0]["n"]
    if not total:
        return []
    word = line_or_row(config.source.format)
    lines = [f"{row['_source_file']} {word} {row['_source_row']}" for row in found.limit(MOST_LINES).collect()]
    more = " and others" if total > len(lines) else ""
    return [f"members: {total:,} with a death before the birth, which is not used ({', '.join(lines)}{more})"]


def uncounted_years(store: Store, config: RunConfig) -> list[str]:
    """Policies and years with member months of which none counts, and the reason of most of them."""
    of_year = ["policy", "performance_year"]
    of_all = of_run(store.read(IDENTITIES), config.policies, config.performance_years)
    uncounted = of_all.where("identity = 'months' AND counted = 0 AND everything > 0")
    most = F.max_by("reason", F.struct("member_months", "reason")).alias("reason")
    reasons = store.read(EXCLUDED).where("kind = 'month'").groupBy(*of_year).agg(most)
    return [_uncounted(row) for row in uncounted.join(reasons, of_year, how="inner").orderBy(*of_year).collect()]


def _uncounted(row: Row) -> str:
    months = f"{row['everything']:,.2f}".removesuffix(".00")
    hint = '; a source without Part A and B wants eligibility.part_a_b = "none"' if row["reason"] == NO_PARTS else ""
    where = f"{row['policy']} {row['performance_year']}"
    return f"{where}: none of {months} member months counts, most for {row['reason']}{hint}"


def _told(store: Store, config: RunConfig) -> list[str]:
    told = store.read(TOLD_MONTHS).collect()
    if not told:
        return ["enrollment tells no month at all"]
    first_number, last_number = number_of(told[0]["first_month"]), number_of(told[0]["last_month"])
    notices = []
    periods = alignment_periods(config.reference.path)
    for year in config.performance_years:
        spans = {"year": (year * 12, year * 12 + 11)}
        for policy in config.policies:
            if policy.eligibility.part_a_b == "full_window":
                window_last = year * 12 + 11 - policy.eligibility.lag_months
                name = f"alignment window of {policy.label}"
                spans[name] = (window_last - policy.eligibility.window_months + 1, window_last)
            asked = asked_months(policy, year, periods) if policy.attribution.method in PROGRAMS else spans["year"]
            if asked != spans["year"]:
                spans[f"window of attribution of {policy.label}"] = asked
        for name, (start, end) in spans.items():
            untold = [(start, min(end, first_number - 1)), (max(start, last_number + 1), end)]
            parts = [f"{_month(a)} to {_month(b)}" for a, b in untold if a <= b]
            if parts:
                notices.append(f"{year}: months of the {name} that the source does not tell: {', '.join(parts)}")
    if notices and config.source.last_told_day is None and _has_open_records(store):
        notices.append(
            "records that are still open tell no month after their first; source.data_through says until when they do"
        )
    return notices


def _has_open_records(store: Store) -> bool:
    is_open = F.col("coverage_end") >= F.to_date(F.lit(OPEN_ENDED))
    return bool(store.read(COVERAGE_RECORDS).where(is_open).limit(1).collect())


def _month(number: int) -> str:
    return f"{number // 12}-{number % 12 + 1:02d}"


def _intake(store: Store) -> list[str]:
    sums = store.read(LOAD_AUDIT).agg(F.sum("rejected").alias("rejected"), F.sum("rows_read").alias("rows")).collect()
    rejected, rows = sums[0]["rejected"] or 0, sums[0]["rows"] or 0
    if not rejected:
        return []
    return [f"{rejected:,} of {rows:,} delivered rows are rejected; silver.rejects has each with its reasons"]


def _given_way(store: Store, config: RunConfig) -> list[str]:
    """Tables tell what is so now: of two rows with one key, one should not be there."""
    if config.source.kind not in TABULAR:
        return []
    audit = store.read(LOAD_AUDIT).where("superseded > 0").groupBy("_source_file").agg(F.sum("superseded").alias("n"))
    return [
        f"{row['_source_file']}: {row['n']:,} rows give way to others of the same key, or to a newer version of a claim"
        for row in audit.orderBy("_source_file").collect()
    ]


def _rosters(store: Store, config: RunConfig) -> list[str]:
    notices = []
    by_roster = [policy.label for policy in config.policies if policy.attribution.method != "roster"]
    if by_roster and not store.read(NETWORK_ROSTER).limit(1).collect():
        notices.append(
            f"no network_roster: nobody is anybody's, every member stands under {UNATTRIBUTED} "
            f"(policy {', '.join(by_roster)})"
        )
    shared = shared_providers(store.read(NETWORK_ROSTER)).agg(F.count(F.lit(1)).alias("n")).collect()[0]["n"]
    if shared:
        notices.append(f"{shared:,} providers stand on two networks' rosters at once; the lowest network_id takes them")
    nobodys = store.read(CONTRACTS).join(store.read(NETWORK_ROSTER).select("network_id"), "network_id", how="left_anti")
    notices += [
        f"contract {row['contract_id']}: network {row['network_id']} is on no network_roster: all cost is outside it"
        for row in nobodys.select("contract_id", "network_id").orderBy("contract_id").collect()
    ]
    lists = store.read(MEMBER_ATTRIBUTION).groupBy("performance_year", "member_id")
    twice = lists.agg(F.count_distinct("network_id").alias("networks")).where("networks > 1")
    members = twice.agg(F.count(F.lit(1)).alias("n")).collect()[0]["n"]
    if members:
        notices.append(
            f"{members:,} member-years stand on two networks' lists; the one with most months takes them, then the "
            "lowest network_id"
        )
    return notices


def _enrollment(store: Store, config: RunConfig) -> list[str]:
    managed = F.count_if(F.col("in_medicare_advantage")).alias("managed")
    found = store.read(COVERAGE_RECORDS).agg(managed).collect()[0]["managed"]
    if found or config.source.kind != "rif" or config.source.part_c != "hmo_indicator":
        return []
    return [
        "no month is in Medicare Advantage: the HMO indicators may all be blank; "
        "source.part_c = part_c_contract reads the contract columns instead"
    ]


def other_categories(store: Store) -> list[str]:
    """How much no rule of the service categories names, and the codes that most of it has.

    Shares alone, and no code that few members have: no small count can be worked out from them.
    """
    lines = F.sum("claim_lines")
    is_other = F.col("service_category_2") == OTHER
    of_all = store.read(CLAIM_COSTS).agg(lines.alias("lines"), F.sum(F.when(is_other, F.col("claim_lines"))).alias("n"))
    total = of_all.collect()[0]
    if not total["n"]:
        return []
    codes = ("claim_type", "place_of_service", "revenue_code", "hcpcs")
    found = (
        store.read(FINAL_CLAIM_LINES)
        .where(is_other)
        .groupBy(*codes)
        .agg(F.count(F.lit(1)).alias("lines"), F.count_distinct("member_id").alias("members"))
        .where(F.col("members") >= SMALL_CELL)
        .orderBy(F.desc("lines"), *codes)
        .limit(MOST_CODES)
        .collect()
    )
    most = "; ".join(f"{_codes_told(row)} ({100 * row['lines'] / total['n']:.0f}% of them)" for row in found)
    share = 100 * total["n"] / total["lines"]
    said = f"{share:.1f}% of the final claim lines are {OTHER} at the second level of service categories"
    return [f"{said}: most often {most}" if most else f"{said}; every code of them is of few members"]


def _codes_told(row: Row) -> str:
    names = {"place_of_service": "place", "revenue_code": "revenue code", "hcpcs": "HCPCS"}
    return " ".join([row["claim_type"], *[f"{said} {row[name]}" for name, said in names.items() if row[name]]])


def _scores(store: Store, config: RunConfig) -> list[str]:
    rows = (
        of_run(store.read(MEMBER_YEARS), config.policies, config.performance_years)
        .groupBy("policy", "performance_year")
        .agg(
            F.count_distinct("member_id").alias("members"),
            F.count_distinct(F.when(F.col("risk_score").isNotNull(), F.col("member_id"))).alias("scored"),
            F.count_distinct("network_id").alias("networks"),
        )
        .orderBy("policy", "performance_year")
        .collect()
    )
    notices = []
    by_percentile = {policy.label for policy in config.policies if policy.cost.truncation == "percentile"}
    by_population = {policy.label for policy in config.policies if policy.risk.normalization == "population"}
    for row in rows:
        where = f"{row['policy']} {row['performance_year']}"
        if row["scored"] == 0:
            notices.append(f"{where}: no member has a risk score; the risk and adjusted columns are empty")
        elif row["scored"] < row["members"]:
            share = 100 * row["scored"] / row["members"]
            notices.append(f"{where}: {share:.1f}% of the members have a risk score; the mean leaves the others out")
        if row["policy"] in by_population and row["networks"] == 1:
            notices.append(f"{where}: the population that scores are normalized by is one network alone")
        if row["policy"] in by_percentile and row["networks"] == 1:
            notices.append(f"{where}: the population whose percentile truncates costs is one network alone")
    return notices


def _code_sets(config: RunConfig) -> list[str]:
    if all(policy.attribution.method != "plurality" for policy in config.policies):
        return []
    told = code_set_years(config, "plurality")
    missing = [year for year in config.performance_years if year not in told]
    return [f"{year}: there is no primary care code set; plurality leaves its members UNATTRIBUTED" for year in missing]
