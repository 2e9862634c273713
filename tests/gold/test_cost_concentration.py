"""The dearest members of a network, and what part of its cost they are."""

from pmpm_spark.gold.cost_concentration import COST_CONCENTRATION, cost_concentration
from pmpm_spark.gold.network_pmpm import NETWORK_PMPM
from pmpm_spark.gold.network_pmpm_by_category import NETWORK_PMPM_BY_CATEGORY
from pmpm_spark.policy import Policy
from pmpm_spark.silver.high_cost_members import HIGH_COST_MEMBERS, high_cost_members
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from pmpm_spark.silver.member_years import MEMBER_YEARS
from pmpm_spark.silver.truncated_costs import TRUNCATED_COSTS
from pmpm_spark.stages import ALL_TABLES, GOLD
from tests.tables import assert_table, frame

RUN = {"policies": [Policy("p")], "performance_years": [2021]}
HEADING = (
    "policy | performance_year | member_id | enrollment_type | network_id | practice_tin | physician_npi "
    "| member_months | paid_amount | counted_amount | risk_score"
)
DEAR = (
    # of two types, 2,500.01 together: before c, who costs a cent less, though neither of the types is
    "p | 2021 | b | ESRD     | A | T | N | 6  | 1500.00 | 1500.00 | 1.5",
    "p | 2021 | b | DISABLED | A | T | N | 6  | 1000.01 | 1000.01 | 1.5",
    "p | 2021 | c | ESRD     | A | T | N | 12 | 9000.00 | 2500.00 | -",
    # equal costs: the lower id is of the top
    "p | 2021 | e | ESRD | B | T | M | 12 | 70.00 | 70.00 | -",
    "p | 2021 | d | ESRD | B | T | M | 12 | 70.00 | 70.00 | -",
    "p | 2021 | z | ESRD | UNATTRIBUTED | UNATTRIBUTED | UNATTRIBUTED | 1 | -5.00 | -5.00 | -",
    "p | 2020 | x | ESRD | A | T | N | 12 | 9999.00 | 9999.00 | -",
    "q | 2021 | x | ESRD | A | T | N | 12 | 9999.00 | 9999.00 | -",
)
CHEAP = [
    f"p | 2021 | a{n:02} | ESRD | {network} | T | N | 12 | 10.00 | 10.00 | -"
    for network, of in (("A", 19), ("B", 18))
    for n in range(of)
]
DEAREST = """
    policy | performance_year | member_id | network_id   | practice_tin | physician_npi | top_percent | cost_rank | network_members | member_months | paid_amount | counted_amount | risk_score
    p      | 2021             | b         | A            | T            | N             | 1           | 1         | 21              | 12            | 2500.01     | 2500.01        | 1.5
    p      | 2021             | c         | A            | T            | N             | 5           | 2         | 21              | 12            | 9000.00     | 2500.00        | -
    p      | 2021             | d         | B            | T            | M             | 1           | 1         | 20              | 12            | 70.00       | 70.00          | -
    p      | 2021             | z         | UNATTRIBUTED | UNATTRIBUTED | UNATTRIBUTED  | 1           | 1         | 1               | 1             | -5.00       | -5.00          | -
"""


def test_the_top_of_a_network_is_its_percent_rounded_up_by_the_policys_dollars_and_of_equals_the_lowest_id(spark):
    """5% of 21 members are two, of 20 one."""
    rows = frame(spark, MEMBER_YEARS, "\n".join([HEADING, *DEAR, *CHEAP]))
    assert_table(high_cost_members(rows, **RUN), HIGH_COST_MEMBERS, spark, DEAREST)


COSTS = """
    policy | performance_year | member_id | member_month | service_category | network_id | exclusion_reason | in_total | counted_lines | counted_amount
    p      | 2021             | b         | 2021-01-01   | inpatient        | A          | -                | true     | 1             | 2000.00
    p      | 2021             | b         | 2021-02-01   | inpatient        | A          | -                | true     | 1             | 400.01
    p      | 2021             | b         | 2021-02-01   | dme              | A          | -                | true     | 1             | 100.00
    p      | 2021             | b         | 2021-02-01   | pharmacy         | A          | -                | false    | 1             | 4096.00
    p      | 2021             | b         | 2021-03-01   | dme              | A          | DECEASED         | true     | 0             | 8192.00
    p      | 2021             | c         | 2021-01-01   | inpatient        | A          | -                | true     | 1             | 9000.00
    p      | 2021             | a00       | 2021-01-01   | other            | A          | -                | true     | 1             | 10.00
    p      | 2020             | b         | 2021-01-01   | inpatient        | A          | -                | true     | 1             | 5.00
"""
CATEGORIES = """
    policy | performance_year | network_id | service_category | in_total | counted_amount
    p      | 2021             | A          | inpatient        | true     | 9600.02
    p      | 2021             | A          | dme              | true     | 200.00
    p      | 2021             | A          | other            | true     | 0.00
    p      | 2021             | A          | pharmacy         | false    | 4096.00
"""


def test_the_tops_dollars_stand_by_category_beside_the_networks_after_the_truncation(spark):
    built = cost_concentration(
        frame(spark, HIGH_COST_MEMBERS, DEAREST),
        frame(spark, NETWORK_PMPM, "policy | performance_year | network_id | counted_amount\np | 2021 | A | 9800.02"),
        frame(spark, NETWORK_PMPM_BY_CATEGORY, CATEGORIES),
        frame(spark, MEMBER_MONTH_COSTS, COSTS),
        frame(
            spark,
            TRUNCATED_COSTS,
            "policy | performance_year | member_id | member_month | service_category | network_id | counted_amount\n"
            "p | 2021 | c | 2021-01-01 | inpatient | A | -6500.00",
        ),
        **RUN,
    )
    rows = {(row.top_percent, row.service_category): row for row in built.collect()}
    assert all(row.share_of_category is None for (_, category), row in rows.items() if category == "other")
    assert rows[1, "inpatient"].share_of_top == 2400.01 / 2500.01
    assert rows[5, "inpatient"].share_of_category == 4900.01 / 9600.02
    assert rows[5, "dme"].share_of_network == 5000.01 / 9800.02
    assert_table(
        built,
        COST_CONCENTRATION,
        spark,
        """
        policy | performance_year | network_id | top_percent | service_category | members | counted_amount | network_counted_amount | top_counted_amount | total_counted_amount | is_small_cell
        p      | 2021             | A          | 1           | inpatient        | 1       | 2400.01        | 9600.02                | 2500.01            | 9800.02              | true
        p      | 2021             | A          | 1           | dme              | 1       | 100.00         | 200.00                 | 2500.01            | 9800.02              | true
        p      | 2021             | A          | 1           | other            | 1       | 0.00           | 0.00                   | 2500.01            | 9800.02              | true
        p      | 2021             | A          | 5           | inpatient        | 2       | 4900.01        | 9600.02                | 5000.01            | 9800.02              | true
        p      | 2021             | A          | 5           | dme              | 2       | 100.00         | 200.00                 | 5000.01            | 9800.02              | true
        p      | 2021             | A          | 5           | other            | 2       | 0.00           | 0.00                   | 5000.01            | 9800.02              | true
        """,
    )


def test_no_reported_table_has_a_row_of_a_single_member():
    assert HIGH_COST_MEMBERS.has_members
    assert [table.name for table in GOLD if table.has_members] == []
    of_gold = {table.short_name for table in ALL_TABLES if table.has_members and table.layer == "gold"}
    assert of_gold == {
        "capitation_ledger",
        "capitation_unposted",
        "member_month_changes",
        "membership_reconciliation",
    }  # not exported, and but for the last not shown
