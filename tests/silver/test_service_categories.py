"""Both levels of a line's category: the first rule that it meets, of a table that is data."""

import csv
import gzip
import random
from collections import Counter
from pathlib import Path

import pytest

from pmpm_spark.errors import InputError
from pmpm_spark.model import CLAIM_LINES, FINAL_CLAIM_LINES
from pmpm_spark.model.claim_lines import CLAIM_TYPES, INSTITUTIONAL
from pmpm_spark.reference import SERVICE_CATEGORIES, reference_rows
from pmpm_spark.silver.final_claim_lines import final_claim_lines
from pmpm_spark.silver.removed_claims import removed_claims
from pmpm_spark.silver.service_categories import CONDITIONS, check_rules, rules_in_order
from tests.tables import assert_table, frame, rows_of

SHIPPED = reference_rows(SERVICE_CATEGORIES)
LEVELS = ("service_category", "service_category_2")
CODES = ("bill_type", "revenue_code", "place_of_service", "drg", "hcpcs", "facility_ccn")
TUVA = {
    "acute inpatient", "ambulance", "ambulatory surgery center", "dialysis", "durable medical equipment",
    "emergency department", "home health", "inpatient hospice", "inpatient long term acute care",
    "inpatient psychiatric", "inpatient rehabilitation", "inpatient substance use", "lab", "observation",
    "office-based other", "office-based pt/ot/st", "office-based radiology", "office-based surgery",
    "office-based visit", "other", "outpatient hospice", "outpatient hospital or clinic", "outpatient psychiatric",
    "outpatient pt/ot/st", "outpatient radiology", "outpatient rehabilitation", "outpatient substance use",
    "outpatient surgery", "pharmacy", "skilled nursing", "telehealth visit", "urgent care",
}  # fmt: skip


def categorized(lines, rules):
    return final_claim_lines(lines, removed_claims(lines), service_categories=rules)


@pytest.fixture
def categories_are(spark):
    """Lines of one claim each, unless a claim_id is written; `rules` in place of the shipped table."""

    def check(lines, rules=None):
        heading, *cells = rows_of(lines)
        told = [name for name in heading if not name.startswith("service_category")]
        numbered = [dict(zip(heading, row, strict=True)) for row in cells]
        names = [*told, *(["claim_id"] if "claim_id" not in told else []), "line_number", "adjustment"]
        rows = [" | ".join(names)]
        expected = [" | ".join(["claim_id", "line_number", *[n for n in heading if n not in told]])]
        for number, row in enumerate(numbered):
            row |= {"claim_id": row.get("claim_id", f"c{number}"), "line_number": str(number), "adjustment": "original"}
            rows.append(" | ".join(row[name] for name in names))
            expected.append(" | ".join(row[name.strip()] for name in expected[0].split("|")))
        given = SHIPPED if rules is None else rules_of(rules)
        built = categorized(frame(spark, CLAIM_LINES, "\n".join(rows)), given)
        assert_table(built, FINAL_CLAIM_LINES, spark, "\n".join(expected))

    return check


def rules_of(written):
    """Rules from a table; what is not written is `*`, or the source."""
    heading, *cells = rows_of(written)
    rows = []
    for row in cells:
        told = dict(zip(heading, row, strict=True))
        of = {c.name: told.get(c.name, "*") for c in SERVICE_CATEGORIES.columns} | {"source": "test"}
        rows.append(tuple(int(v) if n == "priority" else v for n, v in of.items()))
    return rows


def test_a_rule_asks_for_whole_codes_beginnings_ranges_or_several_columns_at_once(categories_are):
    categories_are(
        """
        claim_type   | bill_type | revenue_code | place_of_service | drg | hcpcs | facility_ccn | service_category | service_category_2
        professional | -         | -            | 11               | -   | 99213 | -            | a                | whole code
        professional | -         | -            | -                | -   | 99213 | -            | z                | other
        professional | -         | -            | 11               | -   | 99212 | -            | z                | other
        professional | -         | -            | 22               | -   | 99214 | -            | a                | whole code
        professional | -         | -            | -                | -   | J9999 | -            | b                | beginning
        professional | -         | -            | -                | -   | J     | -            | b                | beginning
        professional | -         | -            | -                | -   | 70010 | -            | c                | first of range
        professional | -         | -            | -                | -   | 76999 | -            | c                | first of range
        professional | -         | -            | -                | -   | 77000 | -            | z                | other
        professional | -         | -            | -                | -   | 70009 | -            | z                | other
        outpatient   | 721       | -            | -                | -   | -     | -            | d                | type of bill
        outpatient   | 711       | -            | -                | -   | -     | -            | other            | other
        inpatient    | -         | 0114         | -                | -   | -     | -            | e                | room
        inpatient    | -         | -            | -                | 885 | -     | -            | e                | drg
        inpatient    | -         | -            | -                | -   | -     | 414123       | e                | facility
        inpatient    | -         | -            | -                | -   | -     | 41S023       | e                | facility
        inpatient    | -         | -            | -                | -   | -     | 400123       | other            | other
        """,
        """
        claim_type   | priority | bill_type | revenue_code | place_of_service | drg     | hcpcs       | ccn          | service_category | service_category_2
        professional | 1        | *         | *            | 11 22            | *       | 99213 99214 | *            | a                | whole code
        professional | 2        | *         | *            | *                | *       | J*          | *            | b                | beginning
        professional | 10       | *         | *            | *                | *       | 70010-76999 | *            | c                | first of range
        professional | 99       | *         | *            | *                | *       | *           | *            | z                | other
        outpatient   | 1        | 72*       | *            | *                | *       | *           | *            | d                | type of bill
        inpatient    | 1        | *         | 0114         | *                | *       | *           | *            | e                | room
        inpatient    | 2        | *         | *            | *                | 880-887 | *           | *            | e                | drg
        inpatient    | 3        | *         | *            | *                | *       | *           | 4000-4499 S* | e                | facility
        """,
    )


def test_the_lowest_priority_wins_wherever_the_rule_stands_in_the_table(categories_are):
    """2 before 10 before 100, by number and not as text; a rule of another type of claim does not count."""
    categories_are(
        """
        claim_type   | hcpcs | place_of_service | service_category | service_category_2
        professional | A1    | 11               | x                | two
        professional | A1    | 22               | x                | ten
        professional | B1    | 22               | x                | hundred
        dme          | A1    | 11               | y                | dme
        """,
        """
        claim_type   | priority | place_of_service | hcpcs | service_category | service_category_2
        professional | 100      | *                | *     | x                | hundred
        professional | 10       | *                | A*    | x                | ten
        professional | 2        | 11               | A1    | x                | two
        dme          | 1        | *                | *     | y                | dme
        """,
    )


def test_an_institutional_claim_has_the_best_rule_of_all_its_lines_and_any_other_line_its_own(categories_are):
    categories_are(
        """
        claim_id | claim_type   | revenue_code | hcpcs | place_of_service | service_category | service_category_2
        o1       | outpatient   | 0300         | 80053 | -                | outpatient       | outpatient surgery
        o1       | outpatient   | 0360         | 29881 | -                | outpatient       | outpatient surgery
        o1       | outpatient   | 0001         | -     | -                | outpatient       | outpatient surgery
        o2       | outpatient   | 0300         | 80053 | -                | outpatient       | lab
        o2       | outpatient   | 0001         | -     | -                | outpatient       | lab
        o3       | outpatient   | 0456         | -     | -                | emergency        | emergency department
        o3       | outpatient   | 0450         | -     | -                | emergency        | emergency department
        o3       | outpatient   | 0821         | 90935 | -                | emergency        | emergency department
        p1       | professional | -            | 80053 | 11               | professional     | lab
        p1       | professional | -            | 99213 | 11               | professional     | office-based visit
        p1       | professional | -            | 29881 | 24               | professional     | ambulatory surgery center
        """
    )


def test_each_kind_of_line_by_the_shipped_table(categories_are):
    categories_are(
        """
        claim_type   | bill_type | revenue_code | place_of_service | drg | hcpcs | facility_ccn | service_category | service_category_2
        inpatient    | 111       | 0120         | -                | 470 | -     | 410007       | inpatient        | acute inpatient
        inpatient    | 111       | 0124         | -                | 470 | -     | 410007       | inpatient        | acute inpatient
        inpatient    | 111       | 0124         | -                | -   | -     | -            | inpatient        | inpatient psychiatric
        inpatient    | 111       | 0126         | -                | -   | -     | -            | inpatient        | inpatient substance use
        inpatient    | 111       | 0118         | -                | -   | -     | -            | inpatient        | inpatient rehabilitation
        inpatient    | 111       | 0120         | -                | 897 | -     | 414001       | inpatient        | inpatient substance use
        inpatient    | 111       | 0120         | -                | 885 | -     | 410007       | inpatient        | inpatient psychiatric
        inpatient    | 111       | 0120         | -                | 470 | -     | 41S007       | inpatient        | inpatient psychiatric
        inpatient    | 111       | 0120         | -                | 945 | -     | 410007       | inpatient        | inpatient rehabilitation
        inpatient    | 111       | 0024         | -                | 470 | -     | -            | inpatient        | inpatient rehabilitation
        inpatient    | 111       | 0120         | -                | 560 | -     | 413025       | inpatient        | inpatient rehabilitation
        inpatient    | 111       | 0120         | -                | 189 | -     | 412001       | inpatient        | inpatient long term acute care
        outpatient   | 131       | 0981         | -                | -   | -     | -            | emergency        | emergency department
        outpatient   | 131       | 0510         | -                | -   | G0380 | -            | emergency        | emergency department
        outpatient   | 131       | 0456         | -                | -   | -     | -            | emergency        | urgent care
        outpatient   | 131       | 0516         | -                | -   | -     | -            | outpatient       | urgent care
        outpatient   | 721       | 0001         | -                | -   | -     | -            | outpatient       | dialysis
        outpatient   | 131       | 0821         | -                | -   | -     | -            | outpatient       | dialysis
        outpatient   | 831       | 0001         | -                | -   | -     | -            | outpatient       | ambulatory surgery center
        outpatient   | 131       | 0762         | -                | -   | G0378 | -            | outpatient       | observation
        outpatient   | 131       | 0300         | -                | -   | 36415 | -            | outpatient       | lab
        outpatient   | 131       | 0750         | -                | -   | -     | -            | outpatient       | outpatient surgery
        outpatient   | 871       | -            | -                | -   | G2067 | -            | outpatient       | outpatient substance use
        outpatient   | 761       | 0914         | -                | -   | -     | -            | outpatient       | outpatient psychiatric
        outpatient   | 741       | 0420         | -                | -   | -     | -            | outpatient       | outpatient rehabilitation
        outpatient   | 221       | 0420         | -                | -   | -     | -            | outpatient       | skilled nursing
        outpatient   | 341       | 0420         | -                | -   | -     | -            | outpatient       | home health
        outpatient   | 131       | 0420         | -                | -   | 97110 | -            | outpatient       | outpatient pt/ot/st
        outpatient   | 131       | 0350         | -                | -   | 71260 | -            | outpatient       | outpatient radiology
        outpatient   | 131       | 0636         | -                | -   | J9271 | -            | outpatient       | pharmacy
        outpatient   | 131       | 0510         | -                | -   | G0463 | -            | outpatient       | outpatient hospital or clinic
        outpatient   | 131       | 0540         | -                | -   | A0429 | -            | outpatient       | ambulance
        outpatient   | 141       | 0001         | -                | -   | -     | -            | outpatient       | lab
        outpatient   | 711       | 0521         | -                | -   | -     | -            | outpatient       | outpatient hospital or clinic
        outpatient   | -         | -            | -                | -   | -     | -            | outpatient       | outpatient hospital or clinic
        professional | -         | -            | 41               | -   | A0429 | -            | professional     | ambulance
        professional | -         | -            | 23               | -   | 71046 | -            | professional     | emergency department
        professional | -         | -            | 20               | -   | 99213 | -            | professional     | urgent care
        professional | -         | -            | 65               | -   | 90960 | -            | professional     | dialysis
        professional | -         | -            | 24               | -   | 66984 | -            | professional     | ambulatory surgery center
        professional | -         | -            | 21               | -   | 99232 | -            | professional     | acute inpatient
        professional | -         | -            | 51               | -   | 99232 | -            | professional     | inpatient psychiatric
        professional | -         | -            | 55               | -   | 99232 | -            | professional     | inpatient substance use
        professional | -         | -            | 61               | -   | 99232 | -            | professional     | inpatient rehabilitation
        professional | -         | -            | 34               | -   | 99232 | -            | professional     | inpatient hospice
        professional | -         | -            | 31               | -   | 99309 | -            | professional     | skilled nursing
        professional | -         | -            | 11               | -   | 80053 | -            | professional     | lab
        professional | -         | -            | 11               | -   | L1902 | -            | professional     | durable medical equipment
        professional | -         | -            | 22               | -   | J0178 | -            | professional     | pharmacy
        professional | -         | -            | 22               | -   | 99226 | -            | professional     | observation
        professional | -         | -            | 10               | -   | 99213 | -            | professional     | telehealth visit
        professional | -         | -            | 12               | -   | 99349 | -            | professional     | home health
        professional | -         | -            | 62               | -   | 97110 | -            | professional     | outpatient rehabilitation
        professional | -         | -            | 53               | -   | 90832 | -            | professional     | outpatient psychiatric
        professional | -         | -            | 58               | -   | G2067 | -            | professional     | outpatient substance use
        professional | -         | -            | 11               | -   | 20610 | -            | professional     | office-based surgery
        professional | -         | -            | 11               | -   | 73562 | -            | professional     | office-based radiology
        professional | -         | -            | 11               | -   | 97110 | -            | professional     | office-based pt/ot/st
        professional | -         | -            | 11               | -   | 99213 | -            | professional     | office-based visit
        professional | -         | -            | 11               | -   | 93000 | -            | professional     | office-based other
        professional | -         | -            | 22               | -   | 29881 | -            | professional     | outpatient surgery
        professional | -         | -            | 19               | -   | 73562 | -            | professional     | outpatient radiology
        professional | -         | -            | 22               | -   | 97110 | -            | professional     | outpatient pt/ot/st
        professional | -         | -            | 22               | -   | 90832 | -            | professional     | outpatient psychiatric
        professional | -         | -            | 72               | -   | 99213 | -            | professional     | outpatient hospital or clinic
        professional | -         | -            | -                | -   | 99213 | -            | professional     | office-based visit
        professional | -         | -            | -                | -   | 99232 | -            | professional     | acute inpatient
        professional | -         | -            | 99               | -   | 99309 | -            | professional     | skilled nursing
        professional | -         | -            | -                | -   | 99349 | -            | professional     | home health
        professional | -         | -            | 99               | -   | 93000 | -            | professional     | other
        professional | -         | -            | -                | -   | -     | -            | professional     | other
        snf          | 211       | 0022         | -                | -   | -     | -            | skilled_nursing  | skilled nursing
        home_health  | 329       | 0551         | -                | -   | G0299 | -            | home_health      | home health
        hospice      | 811       | 0651         | -                | -   | -     | -            | hospice          | outpatient hospice
        hospice      | 821       | 0656         | -                | -   | -     | -            | hospice          | inpatient hospice
        dme          | -         | -            | 12               | -   | E1390 | -            | dme              | durable medical equipment
        pharmacy     | -         | -            | -                | -   | -     | -            | pharmacy         | pharmacy
        """
    )


# --- a plain reading of the table, for what follows ---


def meets(cell, code):
    if cell == "*":
        return True
    for part in cell.split() if code is not None else ():
        first, _, last = part.partition("-")
        if (last and first <= code <= last) or code == part or (part[-1] == "*" and code[: len(part) - 1] == part[:-1]):
            return True
    return False


def plain(lines, rules):
    """Both levels of each line: the rule of lowest priority that it, or any line of its institutional claim, meets."""
    none = (1000, ("other", "other"))
    best = {}
    for line in lines:
        of = ("claim", line["claim_id"]) if line["claim_type"] in INSTITUTIONAL else ("line", line["line_number"])
        codes = {**line, "ccn": line["facility_ccn"] and line["facility_ccn"][2:6]}
        met = [
            (priority, levels)
            for claim_type, priority, *cells, first, second, _ in rules
            for levels in [(first, second)]
            if claim_type == line["claim_type"]
            and all(meets(cell, codes[name]) for name, cell in zip(CONDITIONS, cells, strict=True))
        ]
        best[of] = min([*met, best.get(of, none)])
        line["of"] = of
    return {line["line_number"]: best[line["of"]][1] for line in lines}


def some_codes(draw, rules):
    """For each column codes that the rules name, their neighbours, and some that none does."""
    found = {}
    for place, name in enumerate(CODES):
        parts = {part for rule in rules for part in rule[2 + place].split() if part != "*"}
        codes = {end for part in parts for end in part.replace("*", draw.choice("019X")).split("-")}
        near = {code[:-1] + draw.choice("0123456789") for code in codes}
        pool = sorted(codes | near | {"0001", "99999"})
        found[name] = [f"41{code}" for code in pool] if name == "facility_ccn" else pool
    return found


def line_frame(spark, lines):
    names = [c.name for c in CLAIM_LINES.columns]
    also = {"adjustment": "original", "claim_version": "1"}
    return spark.createDataFrame([tuple({**line, **also}.get(n) for n in names) for line in lines], CLAIM_LINES.schema)


def random_rules(draw):
    rules = []
    for claim_type in (*CLAIM_TYPES[:6], "dme"):
        for priority in draw.sample(range(1, 200), 12):
            cells = ["*"] * len(CONDITIONS)
            for place in draw.sample(range(len(CONDITIONS)), draw.choice((1, 1, 2, 3))):
                first = draw.randint(0, 8)
                cells[place] = draw.choice((f"{first}*", f"{first}1 {first}2", f"{first}0-{first + 1}5", "A* 33"))
            rules.append((claim_type, priority, *cells, draw.choice("xyz"), f"{claim_type} {priority}", "test"))
    return rules


@pytest.mark.parametrize("which", ["shipped", "random"])
def test_two_thousand_random_claims_have_the_categories_that_a_plain_reading_gives(spark, which):
    draw = random.Random(41)
    rules = SHIPPED if which == "shipped" else random_rules(draw)
    pools = some_codes(draw, rules)
    if which == "random":
        pools = {name: [*pool, *[f"{a}{b}" for a in "0123456789A" for b in "0123456"]] for name, pool in pools.items()}
        pools["facility_ccn"] = [code if len(code) > 2 else f"77{code}" for code in pools["facility_ccn"]]
    lines, number = [], 0
    for claim in range(2000):
        claim_type = draw.choice((*CLAIM_TYPES, "professional", "outpatient", "dental"))
        for _ in range(draw.randint(1, 3)):
            number += 1
            told = {name: draw.choice((None, *draw.choices(pool, k=2))) for name, pool in pools.items()}
            lines.append({"claim_id": f"c{claim}", "line_number": number, "claim_type": claim_type, **told})
    shuffled = draw.sample(lines, len(lines))
    built = categorized(line_frame(spark, shuffled), rules)
    found = {row[0]: (row[1], row[2]) for row in built.select("line_number", *LEVELS).collect()}
    expected = plain(lines, rules)
    assert found == expected
    assert len(set(expected.values())) > (35 if which == "shipped" else 50)


# --- the table itself ---


def test_the_shipped_rules_can_be_read_and_every_type_ends_with_one_that_asks_for_nothing():
    rules = rules_in_order(SHIPPED)
    check_rules(rules)
    last = {rule.claim_type: rule for rule in rules}
    assert set(last) == set(CLAIM_TYPES)
    assert [rule for rule in last.values() if rule.asks_for] == []
    assert len([rule for rule in rules if not rule.asks_for]) == len(CLAIM_TYPES)


def test_the_first_level_is_that_of_the_claim_type_but_for_emergency():
    own = {"snf": "skilled_nursing"}
    found = {(rule.claim_type, rule.service_category) for rule in rules_in_order(SHIPPED)}
    assert found == {*[(kind, own.get(kind, kind)) for kind in CLAIM_TYPES], ("outpatient", "emergency")}


def test_the_names_of_the_second_level_are_tuvas():
    assert {rule.service_category_2 for rule in rules_in_order(SHIPPED)} == TUVA


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("99285-99281", "'99285-99281' is none of"),
        ("045-0459", "'045-0459' is none of"),
        ("9921?", "'9921\\?' is none of"),
        ("* 11", "'\\*' is none of"),
        ("99*1", "'99\\*1' is none of"),
    ],
)
def test_a_cell_that_cannot_be_read_is_an_error_that_quotes_it(cell, told):
    with pytest.raises(InputError, match=told):
        check_rules(rules_in_order(rules_of(f"claim_type | priority | hcpcs\nprofessional | 1 | {cell}")))


def test_a_rule_of_no_claim_type_is_an_error():
    with pytest.raises(InputError, match="claim_type dental of priority 7 is none of: inpatient, outpatient"):
        check_rules(rules_in_order(rules_of("claim_type | priority\ndental | 7")))


def test_a_folder_of_ones_own_adds_rules_and_replaces_those_of_equal_type_and_priority(tmp_path, categories_are):
    heading = ",".join(SERVICE_CATEGORIES.column_names)
    own = "professional,5,*,*,*,*,93*,*,professional,cardiology,own\nprofessional,50,*,*,20,*,*,*,clinic,walk-in,own\n"
    (tmp_path / "service_categories.csv").write_text(f"{heading}\n{own}")
    rows = reference_rows(SERVICE_CATEGORIES, str(tmp_path))
    assert len(rows) == len(SHIPPED) + 1
    rules = "\n".join([" | ".join(SERVICE_CATEGORIES.column_names), *[" | ".join(map(str, row)) for row in rows]])
    categories_are(
        """
        claim_type   | place_of_service | hcpcs | service_category | service_category_2
        professional | 23               | 93000 | professional     | cardiology
        professional | 20               | 99213 | clinic           | walk-in
        professional | 11               | 99213 | professional     | office-based visit
        """,
        rules,
    )


# --- real files ---

RIF = {
    "inpatient": "inpatient", "outpatient": "outpatient", "snf": "snf", "hha": "home_health", "hospice": "hospice",
    "carrier": "professional", "dme": "dme",
}  # fmt: skip


@pytest.mark.shared
def test_no_line_of_the_shared_files_is_without_a_category_and_none_of_them_is_other(spark, shared_data):
    """The distinct codes of all claim files, read as plain text."""
    lines = []
    for kind, claim_type in RIF.items():
        found = Counter(codes_in(shared_data / "rif" / f"{kind}.csv.gz"))
        assert found
        for number, codes in enumerate(found):
            lines.append((f"{kind}-{number}", claim_type, *codes))
    heading = ("claim_id", "claim_type", *CODES)
    told = [dict(zip(heading, line, strict=True)) | {"line_number": 1} for line in lines]
    built = categorized(line_frame(spark, told), SHIPPED)
    levels = Counter(tuple(row) for row in built.select(*LEVELS).collect())
    assert not [level for level in levels if None in level]
    assert sum(levels.values()) == len(lines)
    assert ("professional", "other") not in levels


def codes_in(path: Path):
    """Bill type, revenue code, place, DRG, HCPCS and CCN of each line; null where not told."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        first = file.readline()
        file.seek(0)
        for row in csv.DictReader(file, delimiter="|" if "|" in first else ","):
            bill = "".join(row.get(c) or "" for c in ("CLM_FAC_TYPE_CD", "CLM_SRVC_CLSFCTN_TYPE_CD", "CLM_FREQ_CD"))
            revenue = row.get("REV_CNTR")
            yield (
                bill or None, revenue.zfill(4) if revenue else None, row.get("LINE_PLACE_OF_SRVC_CD") or None,
                row.get("CLM_DRG_CD") or None, row.get("HCPCS_CD") or None, row.get("PRVDR_NUM") or None,
            )  # fmt: skip
