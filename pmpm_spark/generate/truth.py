"""What is true of the generated networks and physicians, so that what a run finds can be held against it.

Cost per covered month of a member is, in expectation, a constant x the member's risk x the network's cost factor x the
physician's. Risk scores are the member's risk with noise that knows no network. So networks with equal cost factors
have equal risk-adjusted PMPM but for chance, whatever their risk.

Practices are numbered from 0 and come in blocks of 20, a block for each full 1,000 members: three to each of the five
networks, five to none. A practice has three physicians. Within a network, cost and risk of the physicians form a Latin
square over practices and places, and practices take 68, 50 and 32 of 150 members, which leaves cost and risk
uncorrelated: the physicians' factors average 1 in every network.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Network:
    """One network. `price` multiplies every amount, `use` the number of services, `risk` the risk of its members."""

    network_id: str
    name: str
    network_type: str
    price: float
    use: float
    risk: float

    @property
    def cost_factor(self) -> float:
        """Risk-adjusted cost as a multiple of that of a member in no network."""
        return self.price * self.use


NETWORKS = (
    Network("A2001", "Harbor Point ACO", "MSSP", 1.00, 1.00, 1.00),
    Network("A2002", "Granite Ridge ACO", "MSSP", 1.15, 1.15, 1.00),
    Network("D3001", "Willow Creek Direct", "REACH", 1.00, 1.00, 1.30),
    Network("D3002", "Lakeshore Direct", "REACH", 1.00, 1.00, 1.00),
    Network("P4001", "Summit Preferred Network", "OTHER", 0.90, 0.90, 1.00),
)
OUTSIDE = len(NETWORKS)
"""The place of "in no network" after the networks' own places."""

BLOCK = 20
"""Practices in a block."""
BLOCK_MEMBERS = 1_000
NETWORK_PRACTICES = 3
PHYSICIANS = 3
"""Physicians in a practice."""
MEMBERS_OF_150 = (68, 50, 32)
"""Of 150 members of a network, how many its first, second and third practice of a block has."""
PHYSICIAN_COST = (0.85, 1.00, 1.15)
PHYSICIAN_RISK = (0.80, 1.00, 1.20)

MOVING_PRACTICE = 2
"""In A2001 in the first performance year, in A2002 from the first of January of the second."""
MOVES_TO = 1
LEAVING_PRACTICE = 14
"""In P4001 until the end of the year before the last, then in no network."""
SHARED_PRACTICE = 0
"""In A2001 by its TIN; its first physician is on the roster of D3002 as well, with TIN and NPI. A2001, the lowest id,
wins."""
SHARED_WITH = 3
PARTIAL_PRACTICE = 6
PARTIAL_PLACE = 2
"""In D3001, but its last physician is not on the roster."""

SCORE_LEVEL = 1.1
"""Raw risk scores are 1.1 x risk: a raw score's mean is not 1 before it is normalized."""


def practice_count(members: int) -> int:
    return BLOCK * max(1, members // BLOCK_MEMBERS)


def physician_npi(practice: int, place: int) -> str:
    """The NPI of one physician of a practice; no person's NPI begins with 99."""
    return f"99{practice * PHYSICIANS + place:08d}"


def practice_tin(practice: int) -> str:
    """The TIN of a practice; no employer's begins with 00, and the zeros show who reads ids as numbers."""
    return f"{'00' if practice % 10 == 3 else '99'}{practice:07d}"


def physician_truth(npi: str) -> tuple[float, float]:
    """Cost factor and risk factor of a primary care physician, by NPI."""
    number = int(npi[2:])
    practice, place = divmod(number, PHYSICIANS)
    square = (practice % BLOCK) % NETWORK_PRACTICES
    return PHYSICIAN_COST[(square + place) % 3], PHYSICIAN_RISK[(square + 2 * place) % 3]


@dataclass(frozen=True)
class Cell:
    """A rate cell of a contract with its rate in whole dollars, and the one that it has from February of the last year,
    told late."""

    contract_id: str
    enrollment_type: str
    age_band: str
    sex: str
    rate: int
    risk_adjusted: bool = False
    later_rate: int | None = None


K1, K2 = CONTRACTS = ("K1", "K2")
"""Two contracts of the last performance year: K1 pays the network A2001 by kind of enrollment, K2 A2002 by age."""
CONTRACT_NETWORKS = (0, 1)
CELLS = (
    Cell("K1", "AGED_NON_DUAL", "*", "*", 520),
    Cell("K1", "AGED_DUAL", "*", "*", 900),
    Cell("K1", "ESRD", "*", "*", 2_600, later_rate=2_750),
    Cell("K1", "*", "*", "*", 640, risk_adjusted=True),
    Cell("K2", "*", "65-74", "*", 640),
    Cell("K2", "*", "75-84", "*", 760),
    Cell("K2", "*", "75-84", "F", 740),
    Cell("K2", "*", "85+", "*", 980),
    Cell("K2", "*", "*", "*", 720, risk_adjusted=True),
)
PLANTED_OF_K1 = ("late enrollment", "late termination", "late death", "cell change")
PLANTED_OF_K2 = ("moves", "on both lists", "beyond the limit", "joins on the 15th")
"""What happens to the first members of each contract's network who are covered and in good order all year."""
FINANCES: dict[str, tuple[int | None, ...]] = {
    K1: (1_200, 20_000, 3_000, 2_000, 4_000, 150_000),
    K2: (None, 18_000, None, None, None, 190_000),
}
"""Dollars of a contract's year for 1,000 generated people: withhold returned, administration, quality
improvement, taxes, programs, the network's own cost of its services."""
FEWEST_OF_FINANCE = 100
STRANGER = "-2999999999"
"""On the list of K1 and nobody."""


def payment_days(years: tuple[int, int]) -> tuple[date, date]:
    """The days of the two payment runs that the known answers are of."""
    return date(years[1], 2, 5), date(years[1], 3, 5)


def told_late(years: tuple[int, int]) -> date:
    """The day between them on which the payer records what is late."""
    return date(years[1], 2, 20)


@dataclass(frozen=True)
class Survey:
    """A domain of a generated survey: `scores` are the means planted in the first wave, on 0 to 100, by network in
    their order and then of none; `steps` what each wave adds to them, up to MOST_STEPS waves."""

    survey: str
    domain: str
    respondent: str
    scores: tuple[int, ...]
    steps: tuple[int, ...]

    def planted(self, network: int, wave: int) -> int:
        """The mean of a network in a wave, both from 0."""
        return self.scores[network] + self.steps[network] * min(wave, MOST_STEPS)


MOST_STEPS = 5
WAVES = ("04", "10")
"""The months of a performance year in which is asked."""
SURVEYS = (
    Survey("Patient survey", "access", "member", (62, 54, 70, 62, 74, 60), (0, 2, 0, 0, -2, 0)),
    Survey("Patient survey", "communication", "member", (70, 60, 72, 70, 72, 66), (1, 0, 0, 1, 0, 0)),
    Survey("Physician survey", "engagement", "provider", (55, 45, 65, 55, 60, 50), (0, -3, 1, 0, 0, 0)),
)
"""A2001 and D3002 are equal, as in cost; A2002, the dearest, is worst and gets better in access."""
MEMBERS_ANSWER, PHYSICIANS_ANSWER = 0.35, 0.7
"""Of those asked in a wave."""


def wave_of(year: int, month: str) -> str:
    return f"{year}-{month}"
