"""To whom a network's counted dollars went outside its roster."""

from pmpm_spark.gold.leakage_destinations import LEAKAGE_DESTINATIONS, leakage_destinations
from pmpm_spark.policy import Cost, Policy
from pmpm_spark.silver.claim_costs import CLAIM_COSTS
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from tests.tables import assert_table, frame

COSTS = """
    member_id | thru_month | from_month | service_category | roster_network_id | is_denied | destination | claim_lines | services | paid_amount
    m1        | 2021-03-01 | 2021-02-01 | professional     | A                 | false     | tin T1      | 1           | 1        | 1.00
    m1        | 2021-03-01 | 2021-02-01 | professional     | ''                | false     | tin T2      | 2           | 1        | 2.00
    m1        | 2021-03-01 | 2021-02-01 | professional     | B                 | false     | tin T3      | 1           | 1        | 4.00
    m1        | 2021-03-01 | 2021-02-01 | professional     | ''                | true      | ''          | 1           | 1        | 8.00
    m1        | 2021-04-01 | 2021-04-01 | inpatient        | ''                | false     | ccn C1      | 1           | 1        | 16.00
    m1        | 2021-05-01 | 2021-05-01 | inpatient        | ''                | false     | ccn C1      | 1           | 0        | 32.00
    m2        | 2021-03-01 | 2021-03-01 | professional     | ''                | false     | tin T2      | 1           | 1        | 64.00
    m3        | 2021-03-01 | 2021-03-01 | professional     | ''                | false     | tin T2      | 1           | 1        | 128.00
    m1        | 2021-03-01 | 2021-03-01 | pharmacy         | ''                | false     | npi N1      | 1           | 1        | 256.00
"""
COUNTED = """
    policy | performance_year | member_id | member_month | service_category | network_id   | exclusion_reason | in_total | counted_lines
    p      | 2021             | m1        | 2021-03-01   | professional     | A            | -                | true     | 4
    p      | 2021             | m1        | 2021-04-01   | inpatient        | A            | DECEASED         | true     | 0
    p      | 2021             | m1        | 2021-05-01   | inpatient        | A            | -                | true     | 1
    p      | 2021             | m2        | 2021-03-01   | professional     | A            | -                | true     | 1
    p      | 2021             | m3        | 2021-03-01   | professional     | UNATTRIBUTED | -                | true     | 1
    p      | 2021             | m1        | 2021-03-01   | pharmacy         | A            | -                | false    | 1
    p      | 2020             | m2        | 2021-03-01   | professional     | B            | -                | true     | 1
    from   | 2021             | m1        | 2021-02-01   | professional     | B            | -                | true     | 4
    own    | 2021             | m1        | 2021-03-01   | professional     | A            | -                | true     | 1
    gone   | 2021             | m1        | 2021-03-01   | professional     | B            | -                | true     | 4
"""


def test_counted_lines_outside_the_members_own_network_add_up_by_category_and_who_was_paid(spark):
    """Not denied, not of months that do not count, not out of total, not of who is in no network; under the basis of
    one's own nothing is outside."""
    built = leakage_destinations(
        frame(spark, CLAIM_COSTS, COSTS),
        frame(spark, MEMBER_MONTH_COSTS, COUNTED),
        policies=[
            Policy("p"),
            Policy("from", cost=Cost(claim_month="from")),
            Policy("own", cost=Cost(basis="reimbursed_to_network")),
        ],
        performance_years=[2021],
    )
    assert_table(
        built,
        LEAKAGE_DESTINATIONS,
        spark,
        """
        policy | performance_year | network_id | service_category | destination | roster_network_id | claim_lines | services | paid_amount
        p      | 2021             | A          | professional     | tin T2      | ''                | 3           | 2        | 66.00
        p      | 2021             | A          | professional     | tin T3      | B                 | 1           | 1        | 4.00
        p      | 2021             | A          | inpatient        | ccn C1      | ''                | 1           | 0        | 32.00
        from   | 2021             | B          | professional     | tin T1      | A                 | 1           | 1        | 1.00
        from   | 2021             | B          | professional     | tin T2      | ''                | 2           | 1        | 2.00
        """,
    )
