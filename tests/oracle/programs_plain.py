"""Attribution of members by `plurality`, `mssp` and `reach`, anew and in plain Python, from rows of the input tables.

Written from the rules' text, one member, year and line at a time; nothing of the pipeline's own code is used.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Row = Mapping[str, Any]

PRIMARY_PHYSICIANS = {"01", "08", "11", "37", "38"}
OTHER_PRIMARY = {"50", "89", "97"}
SPECIALISTS = {
    "06", "12", "13", "16", "23", "25", "26", "27", "29", "39", "46", "70", "79", "82", "83", "84", "86", "90", "98",
}  # fmt: skip
UNATTRIBUTED = "UNATTRIBUTED"


@dataclass(frozen=True)
class Rules:
    """What a policy says of attribution. Months are looked at on their first."""

    method: str
    window: str = "performance_year"
    by_line_date: bool = True
    excludes_shared: bool = False
    codes_by_service_year: bool = False
    voluntary: bool = False
    by_place_alone: bool = False
    without_directory: bool = False
    types: tuple[str, ...] = ("MSSP", "REACH", "OTHER")
    without_part_c: bool = False
    above: Decimal = Decimal(0)


@dataclass
class Tables:
    services: Sequence[Row]
    roster: Sequence[Row]
    hcpcs: Sequence[Row]
    eta: Sequence[Row]
    providers: Sequence[Row]
    spans: Sequence[Row]
    members: Sequence[Row]
    secondary: Sequence[Row]
    listed: Sequence[Row]
    told: tuple[date, date]
    initiatives: Sequence[Row] = ()
    services_of: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    spans_of: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for line in self.services:
            self.services_of[line["member_id"]].append(line)
        for span in self.spans:
            self.spans_of[span["member_id"]].append(span)
        self.specialty_of = {row["npi"]: row["specialty"] for row in self.providers}
        self.death_of = {row["member_id"]: row["death_date"] for row in self.members}
        self.elsewhere = {(row["performance_year"], row["member_id"]) for row in self.initiatives}
        self.named = {(row["member_id"], row["member_month"]) for row in self.secondary if row["basis"] == "claim"}


@dataclass(frozen=True)
class Line:
    candidate: str
    npi: str
    practice: str
    amount: Decimal
    day: date
    who: str

    @property
    def is_network(self) -> bool:
        return not self.candidate.startswith(("TIN:", "CCN:"))


def months(first: date, last: date) -> list[date]:
    """First days of the months from one to the other."""
    numbers = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    return [date(n // 12, n % 12 + 1, 1) for n in numbers]


def month_of(day: date) -> date:
    return day.replace(day=1)


def attributed(rules: Rules, year: int, tables: Tables) -> dict[str, tuple[Any, ...]]:
    """By member: network, practice, physician, measure, runner-up and its measure, winner, step, reason, margin."""
    one_year = {"plurality": plurality, "mssp": mssp, "reach": reach}[rules.method]
    covered = {member for member, spans in tables.spans_of.items() if is_covered_in(spans, year, tables.told)}
    others = tables.services_of.keys() - covered if rules.method == "plurality" else set()
    found = {}
    for member in covered | others:
        row = one_year(rules, year, member, tables)
        if member in covered or row[6] is not None:
            found[member] = row
    return found


def is_covered_in(spans: Iterable[Row], year: int, told: tuple[date, date]) -> bool:
    inside = [month for month in months(date(year, 1, 1), date(year, 12, 31)) if told[0] <= month <= told[1]]
    return any(month_of(span["span_start"]) <= month <= span["span_end"] for span in spans for month in inside)


# Lines


def counted(rules: Rules, year: int, member: str, tables: Tables, first: date, last: date) -> list[Line]:
    """The member's lines that count in the days from `first` to `last`."""
    lines = []
    for line in tables.services_of[member]:
        if first <= line["service_date"] <= last:
            amount, who = charge(rules, line), clinician(rules, line, tables)
            if (
                amount
                and amount > (0 if rules.method == "plurality" else rules.above)
                and who
                and may_count(rules, year, line, tables)
            ):
                somebody = candidate(rules, year, line, tables)
                if somebody:
                    practice = line["tin"]
                    if line["line_kind"] != "professional" and practice == "":
                        practice = line["ccn"]
                    lines.append(Line(somebody, line["npi"], practice, amount, line["service_date"], who))
    return lines


def charge(rules: Rules, line: Row) -> Decimal:
    if rules.method != "plurality" and line["line_kind"] == "professional":
        return line["told_amount"]
    return line["allowed_amount"]


def clinician(rules: Rules, line: Row, tables: Tables) -> str | None:
    """`physician` or `other` (of primary care) or `specialist`."""
    if rules.method == "plurality" or line["line_kind"] == "clinic":
        return "physician"
    code = line["specialty"].strip()
    if code == "" and rules.without_directory:
        return None
    if code == "":
        supplied = (tables.specialty_of.get(line["npi"]) or "").strip()
        code = supplied if len(supplied) == 2 else ""
    elif len(code) < 2:
        code = "0" + code
    kinds = {"physician": PRIMARY_PHYSICIANS, "other": OTHER_PRIMARY, "specialist": SPECIALISTS}
    return next((kind for kind, codes in kinds.items() if code in codes), None)


def may_count(rules: Rules, year: int, line: Row, tables: Tables) -> bool:
    kind, code, place = line["line_kind"], line["hcpcs"], line["place_of_service"]
    asked = line["service_date"].year if rules.codes_by_service_year else year
    in_set = any(
        row["program"] == rules.method and row["hcpcs"] == code and row["first_year"] <= asked <= row["last_year"]
        for row in tables.hcpcs
    )
    if rules.method == "plurality":
        return kind == "professional" and in_set
    if kind == "professional" or kind == "cah":
        counts = in_set and code != "G0463"
    elif kind == "clinic":
        counts = year >= 2019 or in_set
    else:
        eta = any(row["ccn"] == line["ccn"] and row["first_year"] <= year <= row["last_year"] for row in tables.eta)
        counts = eta and in_set
    if "99304" <= code <= "99318" and kind in ("professional", "clinic"):
        if year >= 2019 and (place == "31" or (line["in_snf"] and not rules.by_place_alone)):
            counts = False
        if year in (2017, 2018) and place == "31":
            counts = False
    if "99341" <= code <= "99350" and kind == "professional" and year in (2019, 2020, 2021, 2022) and place != "12":
        counts = False
    if code in ("99354", "99355") and not line["has_base_code"]:
        counts = False
    if code in ("99497", "99498") and year >= 2021 and (place in ("21", "51", "61") or line["in_inpatient"]):
        counts = False
    return counts


def list_day(rules: Rules, year: int) -> date:
    return date(year, 4, 1) if (rules.method, year) == ("reach", 2021) else date(year, 1, 1)


def candidate(rules: Rules, year: int, line: Row, tables: Tables) -> str | None:
    """The network whose the line is, else the id outside; nobody where an id is missing or shared."""
    day = line["service_date"] if rules.by_line_date else list_day(rules, year)
    is_professional = line["line_kind"] == "professional"
    networks = set()
    for row in tables.roster:
        if not row["start_date"] <= day <= row["end_date"] or (row["network_type"] or "OTHER") not in rules.types:
            continue
        same_npi = row["npi"] in ("", line["npi"])
        if rules.method == "plurality":
            fits = row["ccn"] == "" and row["tin"] in ("", line["tin"]) and same_npi
        else:
            name = "tin" if is_professional else "ccn"
            fits = row[name] != "" and row[name] == line[name] and (rules.method == "mssp" or same_npi)
        if fits:
            networks.add(row["network_id"])
    if networks:
        return None if rules.excludes_shared and len(networks) > 1 else min(networks)
    if is_professional:
        return f"TIN:{line['tin']}" if line["tin"] else None
    return f"CCN:{line['ccn']}" if line["ccn"] else None


# Winners


def ranking(lines: Sequence[Line], ties: Mapping[str, tuple[int, ...]]) -> list[tuple[str, Decimal]]:
    """Candidates and their sums, first to last. `ties` has each candidate's dates as ordinals, 0 for none."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        sums[line.candidate] += line.amount

    def order(name: str) -> tuple[Any, ...]:
        is_outside = name.startswith(("TIN:", "CCN:"))
        return (-sums[name], [-day for day in ties[name]], is_outside, name)

    return [(name, sums[name]) for name in sorted(sums, key=order)]


def inside(lines: Sequence[Line], winner: str, name: str) -> str:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    latest: dict[str, date] = {}
    for line in lines:
        told = getattr(line, name)
        if line.candidate == winner and told:
            sums[told] += line.amount
            latest[told] = max(line.day, latest.get(told, date.min))
    return min(sums, key=lambda told: (-sums[told], -latest[told].toordinal(), told), default=UNATTRIBUTED)


def nobody(reason: str) -> tuple[Any, ...]:
    return (UNATTRIBUTED, UNATTRIBUTED, UNATTRIBUTED, None, None, None, None, None, reason, None)


def won(
    lines: Sequence[Line], ties: Mapping[str, tuple[int, ...]], step: str, passes: Iterable[str] | None, thirds: bool
) -> tuple[Any, ...]:
    """The row of a member with a winner; `passes` are the networks that passed the pre-step, if there is one."""
    ranked = ranking(lines, ties)
    winner, measure = ranked[0]
    second, its = ranked[1] if len(ranked) > 1 else (None, None)
    if thirds:
        cent = Decimal("0.01")
        measure = (measure / 3).quantize(cent, ROUND_HALF_UP)
        its = None if its is None else (its / 3).quantize(cent, ROUND_HALF_UP)
    reason = None
    if winner.startswith(("TIN:", "CCN:")):
        reason = "OUTSIDE_PLURALITY"
    elif passes is not None and winner not in passes:
        reason = "NO_PHYSICIAN_SERVICE"
    ids = (winner, inside(lines, winner, "practice"), inside(lines, winner, "npi"))
    margin = None if its is None else measure - its
    return (*(ids if reason is None else (UNATTRIBUTED,) * 3), measure, second, its, winner, step, reason, margin)


def latest_by(lines: Iterable[Line], *groups: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Each candidate's latest day among the lines of each group of clinicians, as ordinals."""
    found: dict[str, list[int]] = defaultdict(lambda: [0] * len(groups))
    for line in lines:
        for place, group in enumerate(groups):
            if line.who in group:
                found[line.candidate][place] = max(found[line.candidate][place], line.day.toordinal())
    return {name: tuple(days) for name, days in found.items()}


EVERYBODY = ("physician", "other", "specialist")
STEP_1, STEP_2 = ("physician", "other"), ("specialist",)


def plurality(rules: Rules, year: int, member: str, tables: Tables) -> tuple[Any, ...]:
    first, last = date(year, 1, 1), date(year, 12, 31)
    if rules.window == "alignment_window":
        first = date(year - 1, 1, 1)
    lines = counted(rules, year, member, tables, first, last)
    if not lines:
        return nobody("NO_PRIMARY_CARE")
    return won(lines, latest_by(lines, EVERYBODY), "plurality", None, False)


def supplied(rules: Rules, year: int, member: str, tables: Tables) -> tuple[str, str, str, bool] | None:
    """The network with most months, its physician with most, and whether the network takes part."""
    rows = [row for row in tables.listed if (row["performance_year"], row["member_id"]) == (year, member)]
    if not rows or not rules.voluntary:
        return None
    bits: dict[str, int] = defaultdict(int)
    for row in rows:
        bits[row["network_id"]] |= row["months"]
    network = min(bits, key=lambda name: (-bits[name].bit_count(), name))
    first = min(
        (row for row in rows if row["network_id"] == network),
        key=lambda row: (-row["months"].bit_count(), row["physician_npi"] == "", row["physician_npi"]),
    )
    days = (date(year, 1, 1), date(year, 12, 31)) if rules.by_line_date else (list_day(rules, year),) * 2
    takes_part = any(
        row["network_id"] == network and (row["tin"] or row["ccn"]) and (row["network_type"] or "OTHER") in rules.types
        for row in tables.roster
        if row["start_date"] <= days[1] and row["end_date"] >= days[0]
    )
    return network, first["practice_tin"] or UNATTRIBUTED, first["physician_npi"] or UNATTRIBUTED, takes_part


def by_list(told: tuple[str, str, str, bool]) -> tuple[Any, ...]:
    return (*told[:3], None, None, None, told[0], "voluntary", None, None)


def statuses(member: str, month: date, tables: Tables) -> Row | None:
    """What is told of a month: of the record that holds its first day; nothing without Part A and Part B."""
    if not tables.told[0] <= month <= tables.told[1]:
        return None
    for span in tables.spans_of[member]:
        if span["span_start"] <= month <= span["span_end"]:
            return span if span["has_part_a"] or span["has_part_b"] else None
    return None


def has_both(told: Row | None) -> bool:
    return bool(told and told["has_part_a"] and told["has_part_b"])


def mssp(rules: Rules, year: int, member: str, tables: Tables) -> tuple[Any, ...]:
    first, last = date(year, 1, 1), date(year, 12, 31)
    if rules.window == "prospective":
        first, last = date(year - 2, 10, 1), date(year - 1, 9, 30)
    reason = not_assignable(year, member, first, last, tables)
    if reason:
        return nobody(reason)
    told = supplied(rules, year, member, tables)
    if told:
        return by_list(told) if told[3] else nobody("VOLUNTARY_OUTSIDE")
    lines = counted(rules, year, member, tables, first, last)
    seen = {line.candidate for line in lines if line.is_network and line.who in ("physician", "specialist")}
    if year >= 2025 and not seen:
        longer = counted(rules, year, member, tables, first.replace(year=first.year - 1), last)
        others = {line.candidate for line in lines if line.is_network and line.who == "other"}
        physicians = {line.candidate for line in longer if line.is_network and line.who in ("physician", "specialist")}
        if others & physicians:
            return won(longer, latest_by(longer, STEP_1, STEP_2), "step_3", others & physicians, False)
    ties = latest_by(lines, STEP_1, STEP_2)
    deciding = [line for line in lines if line.who in STEP_1]
    if deciding:
        return won(deciding, ties, "step_1", seen, False)
    if lines:
        return won(lines, ties, "step_2", seen, False)
    return nobody("NO_PRIMARY_CARE")


def not_assignable(year: int, member: str, first: date, last: date, tables: Tables) -> str | None:
    death = tables.death_of.get(member)
    if death and death < first:
        return "DECEASED"
    looked_at = [month for month in months(first, last) if death is None or month <= death]
    covered = [told for told in (statuses(member, month, tables) for month in looked_at) if told]
    if not any(has_both(told) for told in covered):
        return "NO_A_AND_B_MONTH"
    if not all(has_both(told) for told in covered):
        return "A_ONLY_OR_B_ONLY"
    if any(told["in_medicare_advantage"] for told in covered):
        return "MEDICARE_ADVANTAGE"
    if (year, member) in tables.elsewhere:
        return "OTHER_INITIATIVE"
    if covered[-1]["resides_in_us"] is False:
        return "NON_US_RESIDENT"
    return None


def reach(rules: Rules, year: int, member: str, tables: Tables) -> tuple[Any, ...]:
    recent_last = date(2020, 6, 30) if year == 2021 else date(year - 1, 6, 30)
    recent_first = date(recent_last.year - 1, 7, 1)
    earlier_first = date(recent_last.year - 2, 7, 1)
    first_month = list_day(rules, year)
    period = months(earlier_first, recent_last)
    told = supplied(rules, year, member, tables)
    if told and told[3] and not not_alignable(rules, member, first_month, [], tables):
        return by_list(told)
    reason = not_alignable(rules, member, first_month, period, tables)
    if reason:
        return nobody(reason)
    once = counted(rules, year, member, tables, earlier_first, recent_last)
    lines = once + [line for line in once if line.day >= recent_first]  # the recent year counts twice
    primary = sum((line.amount for line in lines if line.who in STEP_1), Decimal(0))
    other = sum((line.amount for line in lines if line.who in STEP_2), Decimal(0))
    if primary + other == 0:
        return nobody("NO_PRIMARY_CARE")
    group, step = (STEP_1, "primary_care") if 10 * primary >= primary + other else (STEP_2, "other_specialist")
    deciding = [line for line in lines if line.who in group]
    return won(deciding, latest_by(deciding, group), step, None, True)


def not_alignable(rules: Rules, member: str, first_month: date, period: Sequence[date], tables: Tables) -> str | None:
    death = tables.death_of.get(member)
    if death and death < first_month:
        return "DECEASED"
    if not all(has_both(statuses(member, month, tables)) for month in (*period, first_month)):
        return "NOT_IN_PART_A_AND_B"
    told = statuses(member, first_month, tables)
    assert told is not None
    asked = [first_month, *period] if rules.without_part_c else [first_month]
    if any((statuses(member, month, tables) or told)["in_medicare_advantage"] for month in asked):
        return "MEDICARE_ADVANTAGE"
    if told["medicare_is_secondary"] or (member, first_month) in tables.named:
        return "MEDICARE_SECONDARY"
    if told["resides_in_us"] is False:
        return "NON_US_RESIDENT"
    return None
