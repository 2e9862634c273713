"""Drawn gold tables that agree with each other, and an attacker who solves what is published of them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np

from pmpm_spark.cell_relations import SHOWN

POLICIES = ("one", "other")
"""Of the same people and months; they differ in dollars alone."""
Row = dict[str, Any]
Unknown = tuple[str, str, str, tuple[Any, ...]]
NETWORK = ("policy", "performance_year", "network_id")
SUMS: tuple[tuple[str, tuple[str, ...], str, tuple[str, ...]], ...] = (
    ("network_pmpm", NETWORK[:2], "totals", ("members", "member_months", "paid_amount", "scored_members")),
    *(
        (
            table,
            NETWORK,
            "network_pmpm",
            ("members", "member_months", "paid_amount", "in_network_paid_amount", "scored_members"),
        )
        for table in ("practice_pmpm", "physician_pmpm")
    ),
    ("network_pmpm_by_month", NETWORK, "network_pmpm", ("member_months", "paid_amount")),
    ("network_pmpm_by_category", NETWORK, "network_pmpm", ("paid_amount",)),
    (
        "network_pmpm_by_subcategory",
        (*NETWORK, "service_category"),
        "network_pmpm_by_category",
        ("claim_lines", "services", "paid_amount"),
    ),
)
"""What adds up to what, from the meaning of the tables and not from the code under test."""


def drawn_tables(seed: int) -> dict[str, list[Row]]:
    """Networks from one member to many, cut by practice, physician, month, category and destination."""
    draw = random.Random(seed)
    tables: dict[str, list[Row]] = {one.name: [] for one in SHOWN}
    for year in (2021, 2022):
        for network in range(draw.randint(2, 7)):
            _draw_network(draw, tables, year, f"N{network}" if network else "UNATTRIBUTED")
        _draw_comparisons(tables, year)
        _draw_contracts(draw, tables, year)
        _draw_surveys(random.Random(seed * 100 + year), tables, year)
        for kind in ("month", "dollar"):
            for reason in range(draw.randint(2, 6)):
                months = draw.choice((3, 9, 40, 700)) if kind == "month" else None
                lines = draw.choice((2, 10, 11, 500)) if kind == "dollar" else None
                for policy in POLICIES:
                    cells = {"policy": policy, "performance_year": year, "kind": kind, "reason": f"R{reason}"}
                    counts = {
                        "member_months": months,
                        "claim_lines": lines,
                        "paid_amount": Decimal(draw.randint(0, 9999)),
                    }
                    tables["excluded"].append({**cells, **counts})
    return tables


def _draw_network(draw: random.Random, tables: dict[str, list[Row]], year: int, network: str) -> None:
    people = [
        {
            "months": {draw.randint(1, 12) for _ in range(draw.randint(1, 12))},
            "practice": f"T{draw.choice((0, 0, 0, 1, 2))}",
            "physician": f"P{min(draw.randint(0, 9), draw.randint(0, 9))}",
            "scored": draw.random() < 0.97,
        }
        for _ in range(draw.choice((1, 4, 11, 12, 30, 60, 150)))
    ]
    services = {
        (category, f"{category}-{sub}"): draw.choice((1, 2, 6, 12, 30, 200))
        for category in ("inpatient", "hospice", "professional", "pharmacy")
        for sub in range(draw.randint(1, 4))
        if category != "pharmacy" or sub
    }
    places = {f"ccn {n}": draw.choice((1, 8, 25, 60)) for n in range(draw.randint(1, 5))}
    for policy in POLICIES:
        head = {"policy": policy, "performance_year": year, "network_id": network}
        money = {key: Decimal(count * draw.randint(1_000, 90_000)) / 100 for key, count in services.items()}
        in_total = sum((paid for (category, _), paid in money.items() if category != "pharmacy"), Decimal(0))
        whole = _people(people, in_total)
        tables["network_pmpm"].append({**head, "network_name": network, "network_type": "MSSP", **whole})
        for table, key, attribute in (
            ("practice_pmpm", "practice_tin", "practice"),
            ("physician_pmpm", "physician_npi", "physician"),
        ):
            parts: dict[str, list[Row]] = {}
            for person in people:
                parts.setdefault(person[attribute], []).append(person)
            shares = _shares(draw, whole, list(parts))
            for name, some in parts.items():
                row = {**head, key: name, "physician_name": name, **_people(some, Decimal(0)), **shares[name]}
                tables[table].append(row)
        by_month = {m: [p for p in people if m in p["months"]] for m in range(1, 13)}
        told = [month for month, some in by_month.items() if some]
        paid = _split(draw, in_total, told)
        for month in told:
            row = {**head, "member_month": date(year, month, 1), "members": len(by_month[month])}
            tables["network_pmpm_by_month"].append(
                {**row, "member_months": len(by_month[month]), **_money(paid[month])}
            )
        for category in {category for category, _ in services}:
            of = {sub: n for (c, sub), n in services.items() if c == category}
            flags = {"in_total": category != "pharmacy", "member_months": whole["member_months"]}
            total = sum((money[category, sub] for sub in of), Decimal(0))
            row = {**head, "service_category": category, **flags, **_counts(sum(of.values())), **_money(total)}
            tables["network_pmpm_by_category"].append(row)
            for sub, n in of.items():
                row = {**head, "service_category": category, "service_category_2": sub, **flags}
                tables["network_pmpm_by_subcategory"].append({**row, **_counts(n), **_money(money[category, sub])})
        outside = _split(draw, whole["paid_amount"] - whole["in_network_paid_amount"], list(places))
        for place, paid_there in outside.items():
            row = {**head, "service_category": "inpatient", "destination": place, "roster_network_id": ""}
            tables["leakage_destinations"].append({**row, **_counts(places[place]), "paid_amount": paid_there})
        for name, row in _more(draw, head, by_month, paid, tables).items():
            tables.get(name, []).extend(row)
        tables["outcome_measures"].extend(_outcomes(head, people))
        scored = whole["scored_members"]
        tables["network_risk_by_month"].append(
            {**head, "known_by": date(year - 1, 6, 30), "scored_members": scored, "risk_score": 1.0}
        )
    _fill(tables)


def _draw_comparisons(tables: dict[str, list[Row]], year: int) -> None:
    """Each two networks, and each against all others; and the services of either, as the parts of a difference tell them."""
    for policy in POLICIES:
        head = {"policy": policy, "performance_year": year}
        of_year = [r for r in tables["network_pmpm"] if all(r[k] == v for k, v in head.items())]
        networks = [r for r in of_year if r["network_id"] != "UNATTRIBUTED"]
        for one in networks:
            sides = {r["network_id"]: [r] for r in networks if r["network_id"] > one["network_id"]}
            sides["ALL_OTHERS"] = [r for r in networks if r is not one]
            for name, others in sides.items():
                if not others:
                    continue
                pair = {**head, "network_id": one["network_id"], "other_network_id": name}
                row = {k: one[k] for k in ("members", "member_months")}
                sums = {f"other_{k}": sum(r[k] for r in others) for k in row}
                tables["network_comparison"].append({**pair, **row, **sums})
                ids = {r["network_id"] for r in others}
                services: dict[str, int] = {}
                for r in tables["network_pmpm_by_category"]:
                    if all(r[k] == v for k, v in head.items()) and r["network_id"] in ids:
                        services[r["service_category"]] = services.get(r["service_category"], 0) + r["services"]
                for category, of_others in services.items():
                    told = {"part": "USE", "service_category": category, "amount": Decimal(of_others)}
                    tables["network_comparison_parts"].append({**pair, **told})
    _fill(tables)


def _draw_contracts(draw: random.Random, tables: dict[str, list[Row]], year: int) -> None:
    """Contracts of any size: what was due and posted by month and year, by reason, and the services of each effect."""
    for contract in ("K1", "K2", "K3"):
        people = [
            {draw.randint(1, 12) for _ in range(draw.randint(1, 12))} for _ in range(draw.choice((2, 9, 14, 40, 200)))
        ]
        periods = {("month", date(year, m, 1)): [of & {m} for of in people if m in of] for m in range(1, 13)}
        periods["year", date(year, 1, 1)] = people
        told = {at: some for at, some in periods.items() if some}
        services = {(category, at): draw.choice((0, 1, 4, 12, 30)) for category in ("dme", "inpatient") for at in told}
        before = {key: draw.choice((None, 0, 3, 20)) for key in services}
        lines = {
            (reason, at): draw.choice((0, 0, 2, 11, 40))
            for reason in ("NEW_MONTH", "DEATH", "RISK_UPDATE")
            for at in told
        }
        for of, whole in ((services, "year"), (before, "year"), (lines, "year")):
            for name, (kind, first) in list(of):
                if kind == whole:
                    of[name, (kind, first)] = sum(n or 0 for (x, (k, _)), n in of.items() if x == name and k == "month")
        for policy in POLICIES:
            money = {key: Decimal(n * draw.randint(100, 90_000)) / 100 for key, n in lines.items()}
            for name, at in list(money):
                if at[0] == "year":
                    money[name, at] = sum(
                        (a for (x, (k, _)), a in money.items() if x == name and k == "month"), Decimal(0)
                    )
            for at, some in told.items():
                head = {"policy": policy, "performance_year": year, "network_id": "N1", "contract_id": contract}
                head |= {"period_type": at[0], "period": at[1], "comparator": "budget"}
                posted = sum((a for (_, of_period), a in money.items() if of_period == at), Decimal(0))
                counts = {"members": len(some), "member_months": sum(map(len, some)), "posted_amount": posted}
                tables["capitation_variance"].append({**head, **counts})
                if at[0] == "year":
                    result = {name: head[name] for name in ("policy", "performance_year", "network_id", "contract_id")}
                    people_of = {name: counts[name] for name in ("members", "member_months")}
                    tables["financial_performance"].append({**result, **people_of})
                for reason, of_period in lines:
                    if of_period == at and lines[reason, at]:
                        of = {"lines": lines[reason, at], "amount": money[reason, at], "members": lines[reason, at]}
                        tables["capitation_ledger_by_reason"].append({**head, "reason": reason, **of})
                for effect, category in (
                    ("MEMBERSHIP", ""), ("CELL_MIX", ""),
                    *[(e, c) for e in ("USE", "COST_PER_SERVICE") for c in ("dme", "inpatient")],
                ):  # fmt: skip
                    of = {"services": services.get((category, at)), "comparator_services": before.get((category, at))}
                    tables["capitation_variance_split"].append(
                        {
                            **head,
                            "effect": effect,
                            "service_category": category,
                            **of,
                            "amount": Decimal(draw.randint(1, 99)),
                        }
                    )
    _fill(tables)


def _draw_surveys(draw: random.Random, tables: dict[str, list[Row]], year: int) -> None:
    """Answers of each network's members by physician, in two waves a year, and each beside the wave before."""
    networks = [
        r["network_id"] for r in tables["network_pmpm"] if (r["policy"], r["performance_year"]) == ("one", year)
    ]
    for network in networks:
        for wave in (f"{year}-1", f"{year}-2"):
            some = {f"P{n}": draw.choice((1, 4, 11, 12, 30, 60)) for n in range(draw.randint(1, 5))}
            for policy in POLICIES:
                head = {"policy": policy, "performance_year": year, "network_id": network, "wave": wave}
                head |= {"survey": "S", "respondent": "member", "domain": "care"}
                scores = {npi: float(draw.randint(20, 99)) for npi in some}
                everybody = sum(some.values())
                all_told = sum(some[npi] * scores[npi] for npi in some) / everybody
                for npi, n, score in [("", everybody, all_told), *[(npi, some[npi], scores[npi]) for npi in some]]:
                    row = {
                        **head,
                        "physician_npi": npi,
                        "level": "physician" if npi else "network",
                        "mean_score": score,
                    }
                    row |= {"responses": n, "respondents": n, "prior_wave": None, "prior_year": None, "change": None}
                    same = ("policy", "network_id", "physician_npi")
                    before = [r for r in tables["experience_scores"] if all(r[k] == row[k] for k in same)]
                    if before:
                        row |= {"prior_wave": before[-1]["wave"], "prior_year": before[-1]["performance_year"]}
                        row |= {"change": score - before[-1]["mean_score"]}
                    tables["experience_scores"].append(row)
    _fill(tables)


def _more(
    draw: random.Random,
    head: Row,
    by_month: dict[int, list[Row]],
    paid: dict[int, Decimal],
    tables: dict[str, list[Row]],
) -> dict[str, list[Row]]:
    """What repeats sums of the others: the year to date, the dearest members, and the level of a forecast."""
    rolling = []
    for last in sorted(paid):
        of = [month for month in paid if month <= last]
        months = sum(len(by_month[month]) for month in of)
        row = {**head, "span": "YEAR_TO_DATE", "member_month": date(head["performance_year"], last, 1)}
        members = max(len(by_month[month]) for month in of)
        amounts = {"counted_amount": sum((paid[month] for month in of), Decimal(0)), "prior_member_months": 240}
        rolling.append({**row, "members": members, "member_months": months, **amounts})
    categories = [r for r in tables["network_pmpm_by_category"] if all(r[k] == head[k] for k in head) and r["in_total"]]
    dearest = [
        {
            **head,
            "top_percent": 5,
            "service_category": r["service_category"],
            "members": 30,
            "counted_amount": draw.randint(1, 9),
        }
        for r in categories
    ]
    ahead = {
        "member_month": date(head["performance_year"] + 1, 1, 1),
        "learned_until": date(head["performance_year"], 12, 1),
    }
    months = sum(map(len, by_month.values()))
    forecast = [{**head, **ahead, "member_months": months, "held_back_months": 3}]
    return {"network_pmpm_rolling": rolling, "cost_concentration": dearest, "pmpm_forecast": forecast}


def _outcomes(head: Row, people: Sequence[Row]) -> list[Row]:
    """Stays and visits of the same people under either policy, by physician and for the network."""
    rows = []
    for measure, unit in (("readmissions_hwr_like", "share"), ("ed_visits", "per_1000")):
        draw = random.Random(f"{head['performance_year']} {head['network_id']} {measure}")
        often = draw.choice((0.1, 0.5, 0.97))
        sums: dict[str, list[int]] = {}
        for person in people:
            stays = draw.choice((0, 0, 1, 2)) if unit == "share" else len(person["months"])
            events = sum(draw.random() < often for _ in range(stays))
            for physician in (person["physician"], ""):
                told = sums.setdefault(physician, [0, 0, 0])
                for place, value in enumerate((events, stays, int(stays > 0))):
                    told[place] += value
        for physician, (numerator, denominator, members) in sums.items():
            row = {**head, "physician_npi": physician, "measure": measure, "unit": unit, "is_small_cell": members < 11}
            row["level"] = "physician" if physician else "network"
            if denominator:
                rows.append({**row, "numerator": numerator, "denominator": Decimal(denominator)})
    return rows


def _people(people: Sequence[Row], paid: Decimal) -> Row:
    months = sum(len(person["months"]) for person in people)
    inside = (paid / 2).quantize(Decimal("0.01"))
    scored = sum(person["scored"] for person in people)
    return {
        "members": len(people),
        "member_months": months,
        "scored_members": scored,
        **_money(paid),
        "in_network_paid_amount": inside,
    }


def _counts(services: int) -> Row:
    return {"claim_lines": services * 2, "services": services}


def _money(paid: Decimal) -> Row:
    return {"paid_amount": paid, "counted_amount": paid}


def _shares(draw: random.Random, whole: Row, names: list[str]) -> dict[str, Row]:
    paid = _split(draw, whole["paid_amount"], names)
    inside = _split(draw, whole["in_network_paid_amount"], names)
    return {name: {**_money(paid[name]), "in_network_paid_amount": inside[name]} for name in names}


def _split(draw: random.Random, amount: Decimal, names: Sequence[Any]) -> dict[Any, Decimal]:
    parts = {name: (amount * draw.randint(0, 100) / (101 * len(names))).quantize(Decimal("0.01")) for name in names}
    parts[names[-1]] += amount - sum(parts.values())
    return parts


def _fill(tables: dict[str, list[Row]]) -> None:
    """What the attack does not look at is there all the same."""
    values = {"string": "x", "double": 1.5, "boolean": False, "bigint": 20, "date": date(2022, 1, 1)}
    for one in SHOWN:
        for column in one.table.columns:
            for row in tables[one.name]:
                row.setdefault(column.name, values.get(column.type.simpleString(), Decimal("1.5")))


FEW = 5
REPEATS = ("network_pmpm_rolling", "pmpm_forecast")
"""Sums of months, of no secret of their own: what they must not tell is a month."""
COUNTS = (
    "members", "member_months", "scored_members", "claim_lines", "services", "comparator_services", "lines",
    "responses", "respondents", "numerator", "denominator", "without",
)  # fmt: skip
"""The same under both policies, which the attacker knows."""
MEASURES = (*COUNTS, "paid_amount", "in_network_paid_amount", "amount", "mean_score")
KEYS = {**{one.name: one.table.key for one in SHOWN}, "totals": NETWORK[:2]}


def found_out(tables: Mapping[str, Sequence[Row]]) -> set[Unknown]:
    """Every figure that is left out and follows from published ones, exactly or as one of few counts."""
    tables = {**tables, "outcome_measures": [_with_without(row) for row in tables["outcome_measures"]]}
    found = _unscored(tables)
    found |= {
        _unknown("outcome_measures", r, "without") for r in tables["outcome_measures"] if _is_few(r.get("without"))
    }
    for measure in MEASURES:
        hidden = {_unknown(name, row, measure) for name in KEYS for row in tables[name] if row.get(measure, 0) is None}
        equations = [(left, right) for left, right in _equations(tables, measure, hidden) if left]
        found |= _solved(equations, hidden)
        if measure in COUNTS and measure != "scored_members":
            found |= _bounded(equations) & hidden
    return {one for one in found if one[1] not in REPEATS}


def _unknown(table: str, row: Row, measure: str) -> Unknown:
    policy = "" if measure in COUNTS else row["policy"]
    return measure, table, policy, tuple(row[name] for name in KEYS[table] if name != "policy")


def _equations(
    tables: Mapping[str, Sequence[Row]], measure: str, hidden: set[Unknown]
) -> Iterator[tuple[dict[Unknown, int], Any]]:
    """Signed unknowns, and the number that they add up to."""

    def equation(terms: Sequence[tuple[str, Row, str, int]]) -> tuple[dict[Unknown, int], Any]:
        left: dict[Unknown, int] = {}
        right: Any = 0
        for table, row, name, sign in terms:
            if row[name] is None:
                left[_unknown(table, row, name)] = sign
            else:
                right -= sign * row[name]
        return left, right

    for child, by, parent, measures in SUMS:
        for whole in tables[parent] if measure in measures else ():
            parts = [row for row in tables[child] if all(row[k] == whole[k] for k in by)]
            if child == "network_pmpm_by_category":
                parts = [row for row in parts if row["in_total"]]
            if parts:
                yield equation([(parent, whole, measure, -1), *[(child, row, measure, 1) for row in parts]])
    if measure == "paid_amount":
        for whole in tables["network_pmpm"]:
            outside = [r for r in tables["leakage_destinations"] if all(r[k] == whole[k] for k in NETWORK)]
            told = [("network_pmpm", whole, measure, -1), ("network_pmpm", whole, "in_network_paid_amount", 1)]
            yield equation([*told, *[("leakage_destinations", row, measure, 1) for row in outside]])
    if measure == "member_months":  # sums of months, and so each month as the difference of two sums
        for name in ("network_pmpm_rolling", "pmpm_forecast"):
            for row in tables.get(name, []):
                last = row["member_month"] if name == "network_pmpm_rolling" else row["learned_until"]
                months = [
                    r
                    for r in tables["network_pmpm_by_month"]
                    if (r["policy"], r["network_id"]) == (row["policy"], row["network_id"])
                    and date(last.year, 1, 1) <= r["member_month"] <= last
                ]
                yield equation([(name, row, measure, -1), *[("network_pmpm_by_month", r, measure, 1) for r in months]])
    if measure in ("numerator", "denominator", "without"):
        for whole in tables["outcome_measures"]:
            if whole["level"] == "network" and measure in whole:
                of = (*NETWORK, "measure")
                parts = [r for r in tables["outcome_measures"] if r["level"] == "physician"]
                parts = [r for r in parts if all(r[k] == whole[k] for k in of)]
                name = "outcome_measures"
                yield equation([(name, whole, measure, -1), *[(name, r, measure, 1) for r in parts]])
    if measure == "member_months":
        for row in tables["outcome_measures"]:
            if row["unit"] == "per_1000" and row["denominator"] is not None:
                name = "network_pmpm" if row["level"] == "network" else "physician_pmpm"
                by = NETWORK if row["level"] == "network" else (*NETWORK, "physician_npi")
                same = [r for r in tables[name] if all(r[k] == row[k] for k in by)]
                left, right = equation([(name, r, measure, 1) for r in same])
                yield left, right + int(row["denominator"])
    for name, column in _OF_CONTRACTS.get(measure, ()):  # months of a contract, and so their year
        for whole in tables[name]:
            if whole["period_type"] == "year":
                same = [k for k in KEYS[name] if k not in ("period_type", "period")]
                of = (*same, "policy", "performance_year")
                months = [r for r in tables[name] if r["period_type"] == "month" and all(r[k] == whole[k] for k in of)]
                yield equation([(name, whole, column, -1), *[(name, r, column, 1) for r in months]])
    if measure == "amount":
        for whole in tables["capitation_variance"]:
            of = ("policy", "contract_id", "period_type", "period")
            reasons = [r for r in tables["capitation_ledger_by_reason"] if all(r[k] == whole[k] for k in of)]
            told = [("capitation_variance", whole, "posted_amount", -1)]
            yield equation([*told, *[("capitation_ledger_by_reason", r, measure, 1) for r in reasons]])
    if measure in ("responses", "respondents", "mean_score"):
        yield from _of_surveys(tables, measure, equation)
    if measure in ("members", "member_months"):
        for row in tables["financial_performance"]:
            for whole in tables["capitation_variance"]:
                of = ("policy", "contract_id", "performance_year")
                if whole["period_type"] == "year" and all(whole[k] == row[k] for k in of):
                    sides = [("capitation_variance", whole, measure, 1), ("financial_performance", row, measure, -1)]
                    yield equation(sides)
    if measure in ("services", "comparator_services"):
        of_use = {_of_both(r): r for r in tables["capitation_variance_split"] if r["effect"] == "USE"}
        for row in tables["capitation_variance_split"]:
            if row["effect"] == "COST_PER_SERVICE":
                name = "capitation_variance_split"
                yield equation([(name, row, measure, 1), (name, of_use[_of_both(row)], measure, -1)])
    if measure in ("members", "member_months"):
        for row in tables["network_comparison"]:
            if row[f"other_{measure}"] is not None:
                sides = [r for r in tables["network_pmpm"] if _is_other(row, r)]
                left, right = equation([("network_pmpm", r, measure, 1) for r in sides])
                yield left, right + row[f"other_{measure}"]
    if measure == "services":
        for row in tables["network_comparison_parts"]:
            if row["amount"] is not None:
                of = [r for r in tables["network_pmpm_by_category"] if _is_other(row, r)]
                of = [r for r in of if r["service_category"] == row["service_category"]]
                left, right = equation([("network_pmpm_by_category", r, measure, 1) for r in of])
                yield left, right + int(row["amount"])
    for name in KEYS:
        for row in tables[name]:
            if row.get(measure) is not None:
                told_elsewhere = {_unknown(name, row, measure)}
                if name in ("network_pmpm_by_category", "network_pmpm_by_subcategory") and measure == "member_months":
                    told_elsewhere = {(measure, "network_pmpm", "", (row["performance_year"], row["network_id"]))}
                yield dict.fromkeys(told_elsewhere & hidden, 1), row[measure]


def _of_surveys(tables: Mapping[str, Sequence[Row]], measure: str, equation: Any) -> Iterator[Any]:
    """Physicians and their network, and a wave and the one before by its change. The attacker knows who was asked."""
    name, rows = "experience_scores", tables["experience_scores"]
    of = ("policy", "performance_year", "network_id", "wave")
    for whole in (r for r in rows if r["level"] == "network"):
        parts = [r for r in rows if r["level"] == "physician" and all(r[k] == whole[k] for k in of)]
        known = [r["respondents"] for r in (whole, *parts)]
        if measure != "mean_score":
            yield equation([(name, whole, measure, -1), *[(name, r, measure, 1) for r in parts]])
        elif None not in known:
            terms = [(name, r, measure, n) for r, n in zip(parts, known[1:], strict=True)]
            yield equation([(name, whole, measure, -known[0]), *terms])
    for row in rows if measure == "mean_score" else ():
        if row["change"] is not None:
            same = {**row, "wave": row["prior_wave"], "performance_year": row["prior_year"]}
            (before,) = [r for r in rows if all(r[k] == same[k] for k in KEYS[name])]
            left, right = equation([(name, row, measure, 1), (name, before, measure, -1)])
            yield left, right + row["change"]


_OF_CONTRACTS = {
    "member_months": (("capitation_variance", "member_months"),),
    "services": (("capitation_variance_split", "services"),),
    "comparator_services": (("capitation_variance_split", "comparator_services"),),
    "lines": (("capitation_ledger_by_reason", "lines"),),
    "amount": (("capitation_ledger_by_reason", "amount"), ("capitation_variance", "posted_amount")),
}


def _of_both(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("policy", "contract_id", "period_type", "period", "service_category"))


def _is_other(pair: Row, row: Row) -> bool:
    """Whether the row is of the other network of a pair, or of one of all others."""
    if any(row[k] != pair[k] for k in NETWORK[:2]) or row["network_id"] == "UNATTRIBUTED":
        return False
    if pair["other_network_id"] == "ALL_OTHERS":
        return bool(row["network_id"] != pair["network_id"])
    return bool(row["network_id"] == pair["other_network_id"])


def _solved(equations: Sequence[tuple[dict[Unknown, int], Any]], hidden: set[Unknown]) -> set[Unknown]:
    """The unknowns that no solution of the equations without their constants moves."""
    names = sorted({name for left, _ in equations for name in left}, key=str)
    if not names:
        return set()
    at = {name: place for place, name in enumerate(names)}
    matrix = np.zeros((len(equations), len(names)))
    for place, (left, _) in enumerate(equations):
        for name, sign in left.items():
            matrix[place, at[name]] = sign
    _, sizes, directions = np.linalg.svd(matrix)
    free = np.abs(directions[int((sizes > 1e-9).sum()) :]).max(axis=0, initial=0.0)
    return {name for name in names if free[at[name]] < 1e-9} & hidden


def _bounded(equations: Sequence[tuple[dict[Unknown, int], Any]]) -> set[Unknown]:
    """The counts of which fewer than FEW values are left, given that a count that is left out is at least 1."""
    names = {name for left, _ in equations for name in left}
    low, high = dict.fromkeys(names, 1.0), dict.fromkeys(names, float("inf"))
    for _ in range(10):
        for left, right in equations:
            for name, sign in left.items():
                others = [(n, s) for n, s in left.items() if n != name]
                most = float(right) - sum(s * (low[n] if s > 0 else high[n]) for n, s in others)
                least = float(right) - sum(s * (high[n] if s > 0 else low[n]) for n, s in others)
                bounds = (least, most) if sign > 0 else (-most, -least)
                low[name], high[name] = max(low[name], bounds[0]), min(high[name], bounds[1])
    return {name for name in names if high[name] - low[name] + 1 < FEW}


def _with_without(row: Row) -> Row:
    """The row of a share with its stays that are not in the numerator, as its two figures tell them."""
    if row["unit"] != "share":
        return row
    return {**row, "without": None if row["numerator"] is None else row["denominator"] - row["numerator"]}


def _is_few(count: Any) -> bool:
    return count is not None and 0 < count < 11


def _unscored(tables: Mapping[str, Sequence[Row]]) -> set[Unknown]:
    """Rows whose members without a score are told by two figures of the row."""
    told = [
        (name, row) for name in ("network_pmpm", "practice_pmpm", "physician_pmpm", "totals") for row in tables[name]
    ]
    both = [(n, r) for n, r in told if r["members"] is not None and r["scored_members"] is not None]
    return {_unknown(n, r, "scored_members") for n, r in both if 0 < r["members"] - r["scored_members"] < 11}
