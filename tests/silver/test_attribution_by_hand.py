"""Plurality for hundreds of generated members at once, equal to a recomputation in plain Python."""

import random
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

import pytest

from pmpm_spark.policy import Attribution, Eligibility, Policy
from tests.attributions import attributed

YEARS = (2020, 2021)
CODES = {"99213": (2019, 2023), "G2211": (2021, 2023), "99318": (2019, 2020)}
PROVIDERS = [(f"T{tin}", f"N{npi}") for tin in range(1, 7) for npi in range(1, 4)] + [("", "N1"), ("T1", "")]
FIRST_DAY = date(2018, 6, 1)
POLICIES = (
    Policy("year"),
    Policy("window", attribution=Attribution(window="alignment_window")),
    Policy("lagged", Eligibility(window_months=12, lag_months=6), attribution=Attribution(window="alignment_window")),
)


def random_roster(draw: random.Random) -> list[tuple]:
    """Tax numbers 1 to 4, whole or by physician, moving between networks, some in two at once, some by facility."""
    rows = {}
    for tin in ("T1", "T2", "T3", "T4"):
        for npi in ("", "N1", "N2"):
            for _ in range(draw.randint(0, 2)):
                start = date(2019, 1, 1) + timedelta(days=draw.choice((0, 365, 500, 700)))
                end = start + timedelta(days=draw.choice((364, 499, 5000)))
                ccn = "C1" if draw.random() < 0.1 else ""
                key = (draw.choice(("NET_1", "NET_2", "NET_10")), tin, npi, ccn, start)
                rows[key] = (*key, end, "Name", "OTHER")
    rows["npi alone"] = ("NET_3", "", "N3", "", date(2020, 7, 1), date(2021, 3, 31), "Name", "OTHER")
    return list(rows.values())


def random_services(draw: random.Random, members: int) -> list[tuple]:
    """Few amounts and few days, so that ties of money and of day are common."""
    rows = []
    for number in range(members):
        near = draw.sample(PROVIDERS, 4)
        first = FIRST_DAY + timedelta(days=draw.randint(0, 1200))
        for _ in range(draw.randint(1, 12)):
            tin, npi = draw.choice(near)
            day = first + timedelta(days=draw.choice((0, 0, 1, 30, draw.randint(0, 700))))
            kind = "professional" if draw.random() < 0.95 else "clinic"
            code = draw.choice(("99213", "99213", "G2211", "99318", "99999"))
            amount = Decimal(draw.choice((0, 50, 50, 100, 150)))
            key = (f"m{number:04}", day, kind, tin, npi, "", "01", code, "11", False, False, True)
            rows.append((*key, amount, 1, amount))
    return rows


def window_of(policy: Policy, year: int) -> tuple[date, date]:
    """First day of the window and first day after it."""
    if policy.attribution.window == "performance_year":
        return date(year, 1, 1), date(year + 1, 1, 1)
    after = year * 12 + 12 - policy.eligibility.lag_months
    first = after - policy.eligibility.window_months
    return date(first // 12, first % 12 + 1, 1), date(after // 12, after % 12 + 1, 1)


def network_on(roster: list[tuple], tin: str, npi: str, day: date) -> str:
    fitting = [
        network
        for network, its_tin, its_npi, its_ccn, start, end, *_ in roster
        if its_ccn == "" and its_tin in ("", tin) and its_npi in ("", npi) and start <= day <= end
    ]
    return min(fitting, default="")


def most(lines: list[tuple], place: int) -> str:
    """The id at a place with the largest sum; ties by latest day, then lowest id; nobody has no id."""
    sums, latest = defaultdict(Decimal), {}
    for line in lines:
        sums[line[place]] += line[2]
        latest[line[place]] = max(latest.get(line[place], date.min), line[3])
    told = [key for key in sums if key]
    return min(told, key=lambda key: (-sums[key], -latest[key].toordinal(), key), default="UNATTRIBUTED")


def expected_rows(services: list[tuple], roster: list[tuple]) -> dict[tuple, tuple]:
    found = {}
    for policy in POLICIES:
        for year in YEARS:
            first, after = window_of(policy, year)
            of_member = defaultdict(lambda: defaultdict(list))
            for member, day, kind, tin, npi, _, _, code, *_, amount, _, _ in services:
                first_year, last_year = CODES.get(code, (0, 0))
                counts = kind == "professional" and amount > 0 and first_year <= year <= last_year
                network = network_on(roster, tin, npi, day)
                if counts and first <= day < after and (network or tin):
                    of_member[member][network or f"TIN:{tin}"].append((tin, npi, amount, day))
            for member, candidates in of_member.items():
                ranked = sorted(
                    candidates,
                    key=lambda c: (
                        -sum(line[2] for line in candidates[c]),
                        -max(line[3] for line in candidates[c]).toordinal(),
                        c.startswith("TIN:"),
                        c,
                    ),
                )
                winner = ranked[0]
                lines = candidates[winner]
                inside = not winner.startswith("TIN:")
                whose = (winner, most(lines, 0), most(lines, 1)) if inside else ("UNATTRIBUTED",) * 3
                second = ranked[1] if len(ranked) > 1 else None
                found[policy.name, year, member] = (
                    *whose,
                    sum(line[2] for line in lines),
                    second,
                    sum(line[2] for line in candidates[second]) if second else None,
                )
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_every_generated_member_goes_where_a_count_by_hand_puts_it(spark, seed):
    draw = random.Random(seed)
    roster, services = random_roster(draw), random_services(draw, 600)
    codes = "program | hcpcs | first_year | last_year\n" + "\n".join(
        f"plurality | {code} | {first} | {last}" for code, (first, last) in CODES.items()
    )
    built = attributed(
        spark,
        POLICIES,
        YEARS,
        primary_care_services=services,
        network_roster=roster,
        primary_care_hcpcs=codes,
    ).select(
        "policy",
        "performance_year",
        "member_id",
        "network_id",
        "practice_tin",
        "physician_npi",
        "measure_amount",
        "runner_up_network_id",
        "runner_up_amount",
    )
    rows = built.collect()
    found = {tuple(row[:3]): tuple(row[3:]) for row in rows}
    assert len(found) == len(rows)
    expected = expected_rows(services, roster)
    differing = sorted(key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key))
    assert not differing, [(key, found.get(key), expected.get(key)) for key in differing[:3]]
    assert {"NET_1", "NET_10", "NET_2", "NET_3", "UNATTRIBUTED"} == {whose[0] for whose in expected.values()}
