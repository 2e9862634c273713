"""Every method of attribution for hundreds of generated members at once, equal to a recomputation in plain Python."""

import random
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

import pytest

from pmpm_spark.model import MEMBER_ATTRIBUTION, MEMBERS, NETWORK_ROSTER, OTHER_INITIATIVES, PROVIDERS
from pmpm_spark.policy import Attribution, Eligibility, Policy
from pmpm_spark.reference import ETA_HOSPITALS, PRIMARY_CARE_HCPCS, reference_rows
from pmpm_spark.silver.eligibility_spans import ELIGIBILITY_SPANS
from pmpm_spark.silver.primary_care_services import PRIMARY_CARE_SERVICES
from pmpm_spark.silver.secondary_payer_months import SECONDARY_PAYER_MONTHS
from pmpm_spark.table import Table
from tests.attributions import attributed
from tests.oracle import programs_plain as plain

MEMBERS_DRAWN = {"embedded": 1000, "spark": 300}
YEARS = (2019, 2021, 2023, 2025)
YEARS_JUDGED = {"embedded": YEARS, "spark": YEARS[1::2]}
"""Every step and reason occurs among either."""
TOLD = (date(2016, 1, 1), date(2025, 10, 1))
MSSP = {"participants_as_of": "start_of_year", "shared_participants": "exclude"}
REACH = {"participants_as_of": "start_of_year", "shared_participants": "lowest_network_id"}
METHODS = {
    "plurality": Attribution(),
    "plurality as mssp": Attribution(window="alignment_window", **MSSP),
    "mssp": Attribution("mssp", "retrospective", **MSSP),
    "mssp ahead": Attribution("mssp", "prospective", voluntary=True, **MSSP),
    "mssp by line": Attribution("mssp", code_year="service"),
    "mssp otherwise": Attribution(
        "mssp",
        "retrospective",
        voluntary=True,
        snf_exclusion="place",
        specialty_fallback=False,
        network_types=("MSSP", "OTHER"),
        min_charge=50.0,
        **MSSP,
    ),
    "reach otherwise": Attribution(
        "reach",
        voluntary=True,
        alignment_window_requires="a_and_b_without_part_c",
        network_types=("REACH",),
        min_charge=10.0,
        **REACH,
    ),
    "reach": Attribution("reach", **REACH),
    "reach by list": Attribution("reach", voluntary=True, **REACH),
    "reach by line": Attribution("reach", code_year="service", shared_participants="exclude", voluntary=True),
}
POLICIES = [Policy(name, Eligibility(part_a_b="current_month"), attribution=rule) for name, rule in METHODS.items()]
CODES = (
    "99213", "99213", "99213", "99214", "99304", "99318", "99345", "99354", "99421", "99439", "99497", "G0463", "G3002",
    "99999", "",
)  # fmt: skip
SPECIALTIES = ("01", "8", "11", "50", "97", "06", "06", "39", "02", "", "", " ")
TINS, NPIS, CCNS = ("T1", "T2", "T3", "T4", "T5", ""), ("N1", "N2", "N3", "N4", ""), ("C1", "C2", "C3", "C4", "")


def typed(table: Table, rows: list[dict]) -> list[tuple]:
    return [tuple(row.get(name) for name in table.column_names) for row in rows]


def random_roster(draw: random.Random) -> list[dict]:
    """Whole practices, physicians in them, facilities, an NPI alone; moving between networks, some in two at once."""
    ids = [(tin, npi, "") for tin in TINS[:3] for npi in ("", "N1", "N2")]
    ids += [("", npi, ccn) for ccn in CCNS[:3] for npi in ("", "N1")]
    ids += [("T4", "", "C1"), ("", "N4", ""), ("T4", "N2", "")]
    rows = {}
    for tin, npi, ccn in ids:
        for _ in range(draw.randint(0, 3)):
            start = draw.choice(
                (date(1900, 1, 1), date(2018, 7, 1), date(2021, 1, 1), date(2021, 2, 1), date(2025, 1, 1))
            )
            ends = [end for end in (date(2020, 12, 31), date(2021, 3, 31), date(9999, 12, 31)) if end >= start]
            told = {"tin": tin, "npi": npi, "ccn": ccn, "start_date": start, "end_date": draw.choice(ends)}
            network, kind = draw.choice((("NET_1", "MSSP"), ("NET_2", "REACH"), ("NET_10", "OTHER")))
            rows[(network, tin, npi, ccn, start)] = {"network_id": network, "network_type": kind, **told}
    return list(rows.values())


def random_services(draw: random.Random, members: int) -> list[dict]:
    """Few amounts, ids and days for each member, so that ties of money and of day are common."""
    rows = {}
    for number in range(members):
        near = [(draw.choice(TINS), draw.choice(NPIS), draw.choice(CCNS)) for _ in range(3)]
        specialties = draw.choice(
            (draw.sample(SPECIALTIES, draw.randint(1, 3)), ("50",), ("97", "06"), ("97", "50", "8"))
        )
        codes = ["99213", "99214", *draw.sample(CODES, 2)]
        first = date(draw.choice((2016, 2018, 2020, 2022, 2023, 2024)), draw.choice((6, 9, 12)), draw.choice((1, 30)))
        days = [first + timedelta(days=draw.choice((0, 30, 184, 365, draw.randint(0, 800)))) for _ in range(5)]
        for _ in range(draw.randint(0, 16)):
            tin, npi, ccn = draw.choice(near)
            kind = draw.choice(("professional",) * 6 + ("clinic", "cah", "other_outpatient"))
            key = {
                "member_id": f"m{number:04}",
                "service_date": draw.choice(days),
                "line_kind": kind,
                "tin": tin,
                "npi": npi,
                "ccn": draw.choice(("", ccn)) if kind == "professional" else ccn,
                "specialty": draw.choice(specialties),
                "hcpcs": draw.choice(codes),
                "place_of_service": draw.choice(("11", "11", "12", "21", "31", "32", "")),
                "in_snf": draw.random() < 0.1,
                "in_inpatient": draw.random() < 0.1,
                "has_base_code": draw.random() < 0.8,
            }
            amount = Decimal(draw.choice((0, 10, 50, 50, 50, 100, 150)))
            told = amount if draw.random() < 0.9 else Decimal(0)
            rows[tuple(key.values())] = {**key, "allowed_amount": amount, "told_amount": told, "visits": 1}
    return list(rows.values())


def random_spans(draw: random.Random, members: int) -> list[dict]:
    """Most people are in both Parts all the time; the others have gaps and changes within months, or no record at all."""
    rows = []
    usual = {"has_part_a": True, "has_part_b": True, "in_medicare_advantage": False, "resides_in_us": True}
    for number in range(members):
        member = f"m{number:04}"
        if draw.random() < 0.75:
            start = date(2015, 1, 1)
            cuts = [date(9999, 12, 31)]
        elif draw.random() < 0.05:
            continue
        else:
            start = date(2015, 1, 1) + timedelta(days=draw.randint(0, 2500))
            cuts = sorted({start + timedelta(days=draw.randint(20, 3800)) for _ in range(draw.randint(1, 3))})
        for end in cuts:
            told = (
                dict(usual)
                if draw.random() < 0.7
                else {
                    "has_part_a": draw.choice((True, True, False, None)),
                    "has_part_b": draw.choice((True, True, False, None)),
                    "in_medicare_advantage": draw.choice((True, False, None)),
                    "medicare_is_secondary": draw.choice((True, False, None)),
                    "resides_in_us": draw.choice((True, False, None)),
                }
            )
            rows.append({"member_id": member, "span_start": start, "span_end": end, **told})
            start = end + timedelta(days=draw.choice((1, 1, 20, 70))) if end.year < 9999 else end
    return rows


def random_people(draw: random.Random, members: int) -> list[dict]:
    people = [{"member_id": f"m{number:04}", "sex": "U"} for number in range(members)]
    for person in people:
        if draw.random() < 0.15:
            person["death_date"] = date(2018, 1, 1) + timedelta(days=draw.randint(0, 2800))
    return people


def random_list(draw: random.Random, members: int) -> list[dict]:
    keys = {
        (draw.choice(YEARS), f"m{draw.randrange(members):04}", draw.choice(("NET_1", "NET_2", "NET_8")), npi)
        for npi in ("", "N1", "N2")
        for _ in range(150)
    }
    names = ("performance_year", "member_id", "network_id", "physician_npi")
    return [
        {
            **dict(zip(names, key, strict=True)),
            "practice_tin": draw.choice(("", "T1")),
            "months": draw.choice((7, 56, 4095)),
        }
        for key in sorted(keys)
    ]


def drawn(seed: int, members: int) -> dict[str, list[dict]]:
    draw = random.Random(seed)
    months = {(f"m{draw.randrange(members):04}", date(year, month, 1)) for year in YEARS for month in (1, 4) * 40}
    return {
        "primary_care_services": random_services(draw, members),
        "network_roster": random_roster(draw),
        "eligibility_spans": random_spans(draw, members),
        "members": random_people(draw, members),
        "member_attribution": random_list(draw, members),
        "providers": [
            {"npi": "N1", "specialty": "11"},
            {"npi": "N2", "specialty": "Family"},
            {"npi": "N3", "specialty": "06"},
        ],
        "eta_hospitals": [{"ccn": "C1", "first_year": 2019, "last_year": 2021}],
        "secondary_payer_months": [
            {"member_id": member, "member_month": month, "basis": draw.choice(("claim", "claim", "enrollment"))}
            for member, month in sorted(months)
        ],
        "other_initiatives": [
            {"performance_year": year, "member_id": f"m{number:04}"}
            for year in YEARS
            for number in sorted(draw.sample(range(members), 60))
        ],
    }


TABLES = (
    PRIMARY_CARE_SERVICES, NETWORK_ROSTER, ELIGIBILITY_SPANS, MEMBERS, MEMBER_ATTRIBUTION, PROVIDERS, ETA_HOSPITALS,
    SECONDARY_PAYER_MONTHS, OTHER_INITIATIVES,
)  # fmt: skip
FIGURES = (
    "network_id", "practice_tin", "physician_npi", "measure_amount", "runner_up_network_id", "runner_up_amount", "winner",
    "step", "unattributed_reason", "margin",
)  # fmt: skip


def expected_rows(tables: dict[str, list[dict]], years: tuple[int, ...]) -> dict[tuple, tuple]:
    hcpcs = [dict(zip(PRIMARY_CARE_HCPCS.column_names, row, strict=True)) for row in reference_rows(PRIMARY_CARE_HCPCS)]
    whole = {
        table.short_name: [dict.fromkeys(table.column_names) | row for row in tables[table.short_name]]
        for table in TABLES
    }
    told = plain.Tables(
        whole["primary_care_services"], whole["network_roster"], [row for row in hcpcs if row["hcpcs"] in CODES],
        whole["eta_hospitals"], whole["providers"], whole["eligibility_spans"], whole["members"],
        whole["secondary_payer_months"], whole["member_attribution"], TOLD, whole["other_initiatives"],
    )  # fmt: skip
    found = {}
    for name, rule in METHODS.items():
        rules = plain.Rules(
            rule.method, rule.window, rule.participants_as_of == "line_date", rule.shared_participants == "exclude",
            rule.code_year == "service", rule.voluntary, rule.snf_exclusion == "place", not rule.specialty_fallback,
            rule.network_types, rule.alignment_window_requires != "a_and_b", Decimal(str(rule.min_charge)),
        )  # fmt: skip
        for year in years:
            found.update({(name, year, member): row for member, row in plain.attributed(rules, year, told).items()})
    return found


@pytest.mark.parametrize("seed", [1])
def test_every_generated_member_goes_where_the_rules_put_it_with_step_margin_and_reason(spark, engine, seed):
    tables = drawn(seed, MEMBERS_DRAWN[engine])
    given = {table.short_name: typed(table, tables[table.short_name]) for table in TABLES}
    built = attributed(spark, POLICIES, YEARS_JUDGED[engine], told_months=[TOLD], **given)
    rows = built.select("policy", "performance_year", "member_id", *FIGURES).collect()
    found = {tuple(row[:3]): tuple(row[3:]) for row in rows}
    assert len(found) == len(rows)
    expected = expected_rows(tables, YEARS_JUDGED[engine])
    differing = sorted(key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key))
    assert not differing, [len(differing), *[(key, found.get(key), expected.get(key)) for key in differing[:5]]]
    told = Counter((key[0], row[7], row[8]) for key, row in expected.items())
    steps = {step for policy, step, reason in told if reason is None and policy != "plurality as mssp"}
    assert steps == {
        "plurality", "voluntary", "step_1", "step_2", "step_3", "primary_care", "other_specialist",
    }  # fmt: skip
    assert {reason for policy, _, reason in told if policy == "mssp"} >= {
        None, "DECEASED", "NO_A_AND_B_MONTH", "A_ONLY_OR_B_ONLY", "MEDICARE_ADVANTAGE", "OTHER_INITIATIVE",
        "NON_US_RESIDENT", "NO_PHYSICIAN_SERVICE", "OUTSIDE_PLURALITY", "NO_PRIMARY_CARE",
    }  # fmt: skip
    assert {reason for policy, _, reason in told if policy == "reach"} == {
        None, "DECEASED", "NOT_IN_PART_A_AND_B", "MEDICARE_ADVANTAGE", "MEDICARE_SECONDARY", "NON_US_RESIDENT",
        "OUTSIDE_PLURALITY", "NO_PRIMARY_CARE",
    }  # fmt: skip
