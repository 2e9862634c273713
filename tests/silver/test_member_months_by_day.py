"""Member months of hundreds of generated people at once, equal to a recomputation in plain Python, day by day.

Nothing here is shared with the package: statuses are looked up in a calendar of days, and each reason is a sentence of
design section 3.1.
"""

import random
from calendar import monthrange
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest

from pmpm_spark.model import MEMBERS
from pmpm_spark.policy import Attribution, Eligibility, Policy
from pmpm_spark.reference import ALIGNMENT_PERIODS, reference_table
from pmpm_spark.silver.eligibility_spans import ELIGIBILITY_SPANS
from pmpm_spark.silver.member_months import member_months
from pmpm_spark.silver.secondary_payer_months import SECONDARY_PAYER_MONTHS
from pmpm_spark.silver.told_months import TOLD_MONTHS
from tests.tables import frame

OPEN = date(9999, 12, 31)
FIRST_TOLD, LAST_TOLD = date(2019, 3, 1), date(2022, 10, 1)
YEARS = (2021, 2022)
PEOPLE = 520
ONE_DAY = timedelta(days=1)


def people_spans(draw: random.Random) -> list[tuple]:
    """Disjoint spans of each person from 2018 on: mostly whole months, some not; gaps, short spells, open ends."""
    rows = []
    for number in range(PEOPLE):
        day = date(2018, 1, 1) + timedelta(days=draw.choice((0, 31, 400, 700, 1000, draw.randint(0, 1500))))
        if day.day < 15:
            day = day.replace(day=1)
        usual = draw.random() < 0.7
        for _ in range(draw.randint(1, 6)):
            length = draw.choice((5, 13, 20, 40, 200, 500, 800))
            end = day + timedelta(days=length)
            if draw.random() < 0.6:
                end = end.replace(day=monthrange(end.year, end.month)[1])
            if draw.random() < 0.1:
                end = OPEN
            has_a, has_b = (True, True) if usual or draw.random() < 0.6 else (draw.choice((True, False, None)), True)
            statuses = (
                has_a,
                has_b if draw.random() < 0.95 else None,
                draw.choice((False, False, False, None, True)),
                draw.choice((None, None, False, False, True)),
                draw.choice((True, True, None, False)),
                draw.choice(("10", "20", "11", None, "00")),
                draw.choice((None, "02", "03", "NA")),
                "payer",
            )
            rows.append((f"m{number:04}", day, end, *statuses))
            if end == OPEN:
                break
            day = end + timedelta(days=draw.choice((1, 1, 1, 1, 2, 20, 60)))
    return rows


def deaths(draw: random.Random) -> dict[str, date]:
    dead = (f"m{number:04}" for number in range(PEOPLE) if draw.random() < 0.3)
    return {member: date(2020, 6, 1) + timedelta(days=draw.randint(0, 900)) for member in dead}


def named_by_claims(draw: random.Random) -> set[tuple[str, date]]:
    return {(f"m{draw.randrange(PEOPLE):04}", date(draw.choice(YEARS), draw.randint(1, 12), 1)) for _ in range(PEOPLE)}


def month_after(month: date, by: int) -> date:
    number = month.year * 12 + month.month - 1 + by
    return date(number // 12, number % 12 + 1, 1)


def months_between(first: date, last: date) -> list[date]:
    return [month_after(first, by) for by in range((last.year - first.year) * 12 + last.month - first.month + 1)]


ALL_TOLD = months_between(FIRST_TOLD, LAST_TOLD)


def calendars(spans: list[tuple]) -> dict[str, dict[date, tuple]]:
    """Each person's told days with the statuses of the day."""
    last_day = month_after(LAST_TOLD, 1) - ONE_DAY
    days: dict[str, dict[date, tuple]] = {}
    for member, start, end, *statuses in spans:
        calendar = days.setdefault(member, {})
        day = max(start, FIRST_TOLD)
        while day <= min(end, last_day):
            calendar[day] = tuple(statuses)
            day += ONE_DAY
    return days


def looked_at(calendar: dict[date, tuple], month: date, rule: str) -> dict | None:
    """What a month says of its person under a coverage rule; None where it is not covered."""
    all_days = [month + timedelta(days=at) for at in range(monthrange(month.year, month.month)[1])]
    covered = [day for day in all_days if day in calendar]
    if rule in ("full_month", "prorated"):
        if not covered or (rule == "full_month" and len(covered) < len(all_days)):
            return None
        told = [calendar[day] for day in covered]
        return {
            "covered": len(covered),
            "both": all(t[0] and t[1] for t in told),
            "managed": any(t[2] for t in told),
            "secondary": any(t[3] for t in told),
            "first": told[0],
        }
    chosen = {
        "first_of_month": all_days[0],
        "mid_month": all_days[14],
        "last_day": all_days[-1],
        "any_day": covered[0] if covered else None,
    }[rule]
    if chosen not in calendar:
        return None
    t = calendar[chosen]
    return {"both": bool(t[0] and t[1]), "managed": bool(t[2]), "secondary": bool(t[3]), "first": t}


def said_by_months(calendar: dict[date, tuple], coverage_rule: str) -> dict[date, dict | None]:
    return {month: looked_at(calendar, month, coverage_rule) for month in ALL_TOLD}


def expected_rows(of_people: dict[str, tuple], died, named, policy: Policy) -> dict[tuple[str, date], tuple]:
    """`of_people`: each one's calendar, and what its months say under the policy's coverage rule."""
    rule = policy.eligibility
    rows = {}
    for member, (calendar, said) in of_people.items():
        month_of_death = died[member].replace(day=1) if member in died else date(9999, 1, 1)
        for year in YEARS:
            of_year = [month for month in ALL_TOLD if month.year == year]
            if not any(date(year, 1, 1) + ONE_DAY * at in calendar for at in range(365)):
                continue
            window_last = month_after(date(year, 12, 1), -rule.lag_months)
            window_first = month_after(window_last, 1 - rule.window_months)
            window = [m for m in ALL_TOLD if window_first <= m <= window_last and m <= month_of_death]
            holds_window = all(said[m] and said[m]["both"] for m in window)
            has_ended = False
            for month in of_year:
                now = said[month]
                reasons = []
                if now is None:
                    reasons.append("NOT_ENROLLED")
                is_both = now is not None and now["both"]
                if rule.part_a_b == "full_window":
                    fails = not holds_window or (rule.lag_months > 0 and not is_both)
                else:
                    fails = rule.part_a_b == "current_month" and not is_both
                if fails:
                    reasons.append("NOT_IN_PART_A_AND_B")
                if now and now["managed"] and rule.exclude_medicare_advantage:
                    reasons.append("MEDICARE_ADVANTAGE")
                if ((now and now["secondary"]) or (member, month) in named) and rule.exclude_medicare_secondary:
                    reasons.append("MEDICARE_SECONDARY")
                if now and now["first"][4] is False and rule.exclude_non_us:
                    reasons.append("NON_US_RESIDENT")
                if month > month_of_death:
                    reasons = ["DECEASED"]
                if rule.months_stop and policy.attribution.method == "reach" and month < date(2021, 4, 1):
                    reasons.insert(0, "NOT_IN_PERFORMANCE_YEAR")
                elif rule.months_stop:
                    fails_itself = bool(reasons)
                    if has_ended:
                        reasons.insert(0, "ALIGNMENT_ENDED")
                    has_ended = has_ended or fails_itself
                statuses = now["first"] if now else (None,) * 8
                exposure = Decimal(1)
                if now and rule.coverage_rule == "prorated":
                    exposure = Decimal(now["covered"]) / monthrange(month.year, month.month)[1]
                exposure = exposure.quantize(Decimal("0.000001"), ROUND_HALF_UP)
                rows[member, month] = (tuple(reasons), statuses[5], statuses[6], exposure)
    return rows


def policies_of(coverage_rule: str) -> list[Policy]:
    settings = {
        "window": {},
        "window lag 6": {"lag_months": 6, "exclude_non_us": True},
        "year lag 15": {"window_months": 12, "lag_months": 15, "exclude_medicare_advantage": False},
        "month": {"part_a_b": "current_month", "exclude_non_us": True},
        "none": {"part_a_b": "none", "exclude_medicare_secondary": False},
        "stops": {"part_a_b": "current_month", "exclude_non_us": True, "months_stop": True},
        "reach": {"part_a_b": "current_month", "exclude_non_us": True, "months_stop": True},
    }
    methods = {"reach": Attribution("reach")}
    return [
        Policy(name, eligibility=Eligibility(coverage_rule, **more), attribution=methods.get(name, Attribution()))
        for name, more in settings.items()
    ]


@pytest.mark.parametrize(
    "coverage_rule", ["first_of_month", "any_day", "mid_month", "last_day", "full_month", "prorated"]
)
def test_every_month_of_every_generated_person_has_exactly_the_reasons_that_its_days_give(spark, coverage_rule):
    draw = random.Random(7)
    spans, died, named = people_spans(draw), deaths(draw), named_by_claims(draw)
    people = [(f"m{n:04}", None, "U", died.get(f"m{n:04}"), None, None, None) for n in range(PEOPLE)]
    policies = policies_of(coverage_rule)
    built = member_months(
        spark.createDataFrame(spans, ELIGIBILITY_SPANS.schema),
        spark.createDataFrame(people, MEMBERS.schema),
        spark.createDataFrame([(*key, "claim") for key in named], SECONDARY_PAYER_MONTHS.schema),
        frame(spark, TOLD_MONTHS, f"first_month | last_month\n{FIRST_TOLD} | {LAST_TOLD}"),
        reference_table(spark, ALIGNMENT_PERIODS),
        policies=policies,
        performance_years=YEARS,
    ).select(
        "policy",
        "member_id",
        "member_month",
        "ineligible_reasons",
        "medicare_status_code",
        "dual_status_code",
        "exposure",
    )
    rows = built.collect()
    found = {(policy, member, month): (tuple(reasons), *more) for policy, member, month, reasons, *more in rows}
    assert len(found) == len(rows)
    of_people = {member: (days, said_by_months(days, coverage_rule)) for member, days in calendars(spans).items()}
    expected = {
        (policy.label, *key): value
        for policy in policies
        for key, value in expected_rows(of_people, died, named, policy).items()
    }
    differing = [key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key)]
    first = sorted(differing)[:1]
    assert not differing, f"{len(differing)} of {len(expected)}: {[(k, found.get(k), expected.get(k)) for k in first]}"
    # the sample shows every rule at work
    told = {reason for reasons, *_ in expected.values() for reason in reasons}
    assert told == {
        "DECEASED",
        "NOT_ENROLLED",
        "NOT_IN_PART_A_AND_B",
        "MEDICARE_ADVANTAGE",
        "MEDICARE_SECONDARY",
        "NON_US_RESIDENT",
        "ALIGNMENT_ENDED",
        "NOT_IN_PERFORMANCE_YEAR",
    }
    assert {policy for (policy, _, _), value in expected.items() if not value[0]} == {p.label for p in policies}
