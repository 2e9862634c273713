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
