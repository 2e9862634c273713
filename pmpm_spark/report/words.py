"""The rules of a policy and the terms of the field, in plain words."""

from __future__ import annotations

from pmpm_spark.policy import Policy

Said = list[tuple[str, str]]

COVERAGE = {
    "first_of_month": "covered on the first day of the month",
    "any_day": "covered on any day of the month",
    "mid_month": "covered on the 15th",
    "last_day": "covered on the last day of the month",
    "full_month": "covered on every day of the month",
    "prorated": "the covered share of its days",
}
METHODS = {
    "plurality": "the network with most allowed charges for primary care services of the member",
    "roster": "the network and physician that the payer's own list names",
    "mssp": "the steps of the Medicare Shared Savings Program",
    "reach": "the alignment of ACO REACH, two years weighted one third and two thirds",
}
GLOSSARY: Said = [
    ("PMPM", "Per member per month: the cost of the months that count ÷ the number of those months."),
    ("Member month", "One member in one month. Who is covered all year has 12; who dies in June has 6."),
    (
        "Eligible month",
        "A member month that the policy counts. Every month that does not count is listed with its reason.",
    ),
    (
        "Risk score",
        "How costly a member is expected to be from age, sex and illnesses; 1.0 is an average person in Medicare.",
    ),
    (
        "Normalization factor",
        "A published number of the year by which scores are divided, so that their average is 1.0 again.",
    ),
    (
        "Normalized risk",
        "The mean risk score of a network's members ÷ the normalization factor. 1.10: 10% costlier than average.",
    ),
    ("Adjusted PMPM", "PMPM ÷ normalized risk: what the network would cost if its members were of average risk."),
    (
        "Attribution",
        "Whose member somebody is: the network, practice and physician that a member's months and dollars go to.",
    ),
    ("UNATTRIBUTED", "Members of no network. They are kept in a row of their own, so that everything adds up."),
    ("Total cost of care", "All that was paid for a network's members, wherever they were treated."),
    ("Reimbursed to the network", "The part of it that was paid to the network's own providers."),
    ("Leakage", "The difference: what was paid for the network's members to others."),
    (
        "Service category",
        "Where a dollar belongs: inpatient, outpatient, emergency, professional and so on; a claim has one.",
    ),
    (
        "Services per 1,000",
        "Stays, visits, claims or fills × 12,000 ÷ member months: how many 1,000 members have in a year.",
    ),
    (
        "Peers",
        "All other networks of the run whose figure is told, taken together: their dollars ÷ their member months.",
    ),
    ("95% interval", "Where the true value lies in 19 of 20 such cases. If it holds 0, a difference may be chance."),
    (
        "Completion",
        "Recent months grow while claims still come in. A completed figure estimates what they will amount to.",
    ),
    ("Credibility", "How far a small panel's own figure is believed; the rest of the weight goes to the average."),
    (
        "Funnel",
        "Small panels scatter more. Who is outside the funnel differs by more than the size of the panel explains.",
    ),
    (
        "Experience score",
        "What members say of their care, or physicians of their network, in a survey: 0 is the worst answer, 100 the best; the mean of all who answered.",
    ),
    (
        "Contract",
        "A payer pays a network a fixed amount per member and month (capitation). Allocated: what was due. Actual: what the members cost.",
    ),
    (
        "Kept back by the limit",
        "A change of a month that is further back than the contract allows: it is known, and not posted.",
    ),
    (
        "Policy",
        "The rules that made a figure: which months, which dollars, whose member, which risk. Its name is on every row.",
    ),
    (
        "Left out",
        "A figure of 1 to 10 members, months, stays, visits, services or lines, or one that would give such a figure away.",
    ),
]


def rules_in_words(policy: Policy) -> Said:
    """What the policy counts, whose it is and which risk, a sentence or two each."""
    return [
        ("Which months count", _months(policy)),
        ("Which dollars count", _dollars(policy)),
        ("Whose member it is", f"{_capital(METHODS[policy.attribution.method])}."),
        ("Which risk", _risk(policy)),
        (
            "How risk is taken out",
            "Adjusted PMPM = dollars that count ÷ normalized risk ÷ member months, for the network as a whole and never per member.",
        ),
    ]


def _months(policy: Policy) -> str:
    rules = policy.eligibility
    said = [f"A month counts when the member is alive at its start and {COVERAGE[rules.coverage_rule]}"]
    if rules.coverage_rule == "prorated":
        said = ["A month of a living member counts with the covered share of its days"]
    if rules.part_a_b == "full_window":
        said.append(f"in Medicare Part A and B in every month of a window of {rules.window_months} months")
    elif rules.part_a_b == "current_month":
        said.append("in Medicare Part A and B in that month")
    without = [
        word
        for is_excluded, word in (
            (rules.exclude_medicare_advantage, "in a Medicare Advantage plan"),
            (rules.exclude_medicare_secondary, "with another payer first"),
            (rules.exclude_non_us, "abroad"),
        )
        if is_excluded
    ]
    end = f", and not {' or '.join(without)}" if without else ""
    return f"{', '.join(said)}{end}."


def _dollars(policy: Policy) -> str:
    cost = policy.cost
    basis = (
        "all costs of its members"
        if cost.basis == "total_cost_of_care"
        else "what its own providers were paid for them"
    )
    month = "last" if cost.claim_month == "thru" else "first"
    pharmacy = "are in the total" if cost.include_pharmacy else "are told apart and are not in the total"
    return (
        f"A network's cost is {basis}, by {cost.amount} amounts; denied claims never count. A claim belongs to the month of its "
        f"{month} day of service. Drugs {pharmacy}."
    )


def _risk(policy: Policy) -> str:
    source = {"supplied": "supplied with the data", "computed": "computed from diagnoses (CMS-HCC)"}
    scores = source.get(policy.risk.scores, "supplied with the data, else computed from diagnoses (CMS-HCC)")
    weight = "each member once" if policy.risk.weighting == "members" else "each member by their months"
    divisor = {
        "table": "the published factor of the year",
        "population": "the mean of all members of the run",
        "supplied": "supplied reference means",
    }[policy.risk.normalization]
    return f"Scores are {scores}; a network's risk is their mean, {weight}, ÷ {divisor}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
