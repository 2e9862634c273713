"""A few people whose figures were worked out by hand: the oracle and the job must both find them.

Ann in network N1, Ben (dies in March) in N2, Cal nearly in N1, and Eve whom no enrollment file knows.

| whose | what | paid | network of the line | counted by default |
| --- | --- | --- | --- | --- |
| Ann | visit 10 Feb, allowed 100 | 80.00 | N1 (TIN) | yes |
| Ann | inpatient 28 Mar - 2 Apr, 1,000 + 4 days x 10 | 1,040.00 | N1 (CCN) | yes, April (from: March) |
| Ann | outpatient with revenue 0450, 5 May | 200.00 | none | yes, emergency |
| Ann | drug, 6 May | 55.50 | none | PHARMACY |
| Ann | DME, 7 May | 30.00 | none | DENIED |
| Ann | home health 20 Dec - 15 Jan 2022 | 33.00 | none | no: 2022 (from: yes, December) |
| Ben | visit 5 Jan, allowed 50 | 40.00 | N2 (TIN with NPI) | yes |
| Ben | hospice, 20 Apr | 70.00 | none | DECEASED |
| Cal | visit 3 Jun, allowed 499.99 | 399.99 | N1 | yes |
| Cal | visit 1 Jun, allowed 500 | 400.00 | none (TIN 333) | yes |
| Eve | visit 1 Jul | 25.00 | N1 | NOT_ENROLLED |

The risk factor is 0.8, every month is judged by itself (`part_a_b = "current_month"`), the year is 2021.
"""

from __future__ import annotations

from pathlib import Path

from tests.rif_files import claim, enrolled, visit, write

ROSTER = "network_id,network_name,network_type,tin,npi,ccn,start_date,end_date\n"
SCORES = "member_id,performance_year,risk_score,model,source\n"
ATTRIBUTION = "performance_year,member_id,network_id,physician_npi\n"
FACTOR = "0.8"

ROSTER_ROWS = (
    "N1,First,MSSP,111,,,2014-01-01,\n"
    "N1,First,MSSP,,,410001,2014-01-01,\n"
    "N2,Second,REACH,222,9002,,2021-01-05,2021-01-05\n"
    # none of these matches: another person, too late, over already, two ids of two lines, no id
    "N0,Wrong,REACH,111,9999,,2014-01-01,\n"
    "N1,First,MSSP,,,419999,2021-05-06,\n"
    "N1,First,MSSP,,,419999,,2021-05-04\n"
    "N0,Wrong,REACH,111,,410001,2014-01-01,\n"
    "N0,Wrong,REACH,,,,2014-01-01,\n"
)
SCORE_ROWS = "Ann,2021,1.2,x,x\nBen,2021,0.9,x,x\nCal,2021,,x,x\nCal,2020,3,x,x\n"
ATTRIBUTION_ROWS = "2021,Ann,N2,9002\n2021,Ann,N1,9001\n2021,Ben,N2,\n2021,Cal,N1,9001\n2020,Eve,N1,9001\n"

NETWORKS = [
    ("N1", 1, "12.000000", "1320.00", "1120.00", 1, 1.5, "880.00"),
    # 40 / 1.125 = 35.555...
    ("N2", 1, "3.000000", "40.00", "40.00", 1, 1.125, "35.56"),
    ("UNATTRIBUTED", 1, "12.000000", "799.99", "0.00", 0, None, None),
]
"""network_id, members, member_months, paid, in-network paid, scored members, normalized risk score, adjusted amount."""
LEFT_OUT = [
    ("dollar", "DECEASED", None, "70.00"),
    ("dollar", "DENIED", None, "30.00"),
    ("dollar", "NOT_ENROLLED", None, "25.00"),
    ("dollar", "PHARMACY", None, "55.50"),
    ("month", "DECEASED", "9.000000", None),
]
"""kind, reason, member_months, paid_amount."""


def write_files(folder: Path) -> None:
    """The claims and enrollment of the panel."""
    write(
        folder, "beneficiary.csv", "beneficiary",
        enrolled("Ann", 2021),
        enrolled("Ben", 2021, "333         ", DEATH_DT="10-Mar-2021"),
        enrolled("Cal", 2021),
    )  # fmt: skip
    write(
        folder, "carrier.csv", "carrier",
        visit("c1", "Ann", "10-Feb-2021", "100", "111", "9001"),
        visit("c2", "Ben", "05-Jan-2021", "50", "222", "9002"),
        visit("c3", "Cal", "03-Jun-2021", "499.99", "111", "9001"),
        visit("c4", "Cal", "01-Jun-2021", "500.00", "333", "9003"),
        visit("c5", "Eve", "01-Jul-2021", "31.25", "111", "9001"),
    )  # fmt: skip
    stay = {
        "PRVDR_NUM": "410001", "CLM_PASS_THRU_PER_DIEM_AMT": "10", "CLM_UTLZTN_DAY_CNT": "4",
        "REV_CNTR": "0450",
    }  # fmt: skip
    write(
        folder, "inpatient.csv", "inpatient",
        *(
            claim("inpatient", "i1", "Ann", "28-Mar-2021", "02-Apr-2021", "1000.00", number=n, **stay)
            for n in (1, 2, 3)
        ),
    )  # fmt: skip
    write(
        folder, "outpatient.csv", "outpatient",
        claim("outpatient", "o1", "Ann", "05-May-2021", "05-May-2021", "200", PRVDR_NUM="419999"),
        claim("outpatient", "o1", "Ann", "05-May-2021", "05-May-2021", "200", PRVDR_NUM="419999", number=2,
              REV_CNTR="0450"),
    )  # fmt: skip
    write(folder, "pde.csv", "pde", claim("pde", "p1", "Ann", "", "06-May-2021", "55.50"))
    write(
        folder, "dme.csv", "dme",
        claim("dme", "d1", "Ann", "07-May-2021", "07-May-2021", "30", LINE_PRCSG_IND_CD="N"),
    )  # fmt: skip
    write(folder, "hha.csv", "hha", claim("hha", "h1", "Ann", "20-Dec-2021", "15-Jan-2022", "33.00"))
    write(folder, "hospice.csv", "hospice", claim("hospice", "e1", "Ben", "20-Apr-2021", "20-Apr-2021", "70.00"))


def write_lists(folder: Path) -> None:
    """Roster, scores and attribution of the panel, and its risk factor."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "network_roster.csv").write_text(ROSTER + ROSTER_ROWS)
    (folder / "risk_scores.csv").write_text(SCORES + SCORE_ROWS)
    (folder / "member_attribution.csv").write_text(ATTRIBUTION + ATTRIBUTION_ROWS)
    reference = folder / "reference"
    reference.mkdir(exist_ok=True)
    factors = f"performance_year,normalization_factor,source\n2021,{FACTOR},test\n"
    (reference / "normalization_factors.csv").write_text(factors)


def write_config(folder: Path, lists: Path, warehouse: Path, source: Path, *, more: str = "") -> Path:
    """A configuration of a run over one year; `more` is added to its source."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "policy.toml").write_text('name = "panel"\n[eligibility]\npart_a_b = "current_month"\n')
    named = [f'{path.stem} = "{path}"' for path in sorted(lists.glob("*.csv"))]
    said = [
        "performance_years = [2021]",
        f'policy = "{folder / "policy.toml"}"',
        "[reference]",
        f'path = "{lists / "reference"}"',
        "[warehouse]",
        f'path = "{warehouse}"',
        "[source]",
        'kind = "rif"',
        f'path = "{source}"',
        "max_reject_share = 1.0",
        *named,
        more,
    ]
    path = folder / "config.toml"
    path.write_text("\n".join(said) + "\n")
    return path
