"""A policy: the five rules that make a PMPM, and how outcomes are counted, read from `conf/policies/*.toml`.

Which months count, which month a claim belongs to, which dollars, whose member it is, and which risk. Every gold row
names the policy that made it. Every setting has its source: the one beside its default here, or the file's own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, field, fields, replace
from typing import Any

from pmpm_spark.errors import ConfigError
from pmpm_spark.settings import read_settings

COVERAGE_RULES = ("first_of_month", "any_day", "mid_month", "last_day", "full_month", "prorated")
WINDOWS = ("performance_year", "alignment_window", "retrospective", "prospective")
"""Whose services count: those of the year, of the eligibility's window, or of the windows of 42 CFR 425.400."""
MOST_WINDOW_MONTHS = 60
"""The alignment window is kept as bits of a BIGINT, one a month."""
NETWORK_TYPES = ("MSSP", "REACH", "OTHER")
MOST_CHARGE = 1_000_000
YOUNGEST_PCR, OLDEST = 18, 130
DAYS_BEFORE = 365
"""Days before a discharge that the PCR-like measure asks enrollment of."""
STEPS = ("exclude", "sequestration", "complete", "annualize", "truncate", "weight")
"""What may stand between what was paid and what the policy counts, in the order of the default."""
NOT_RULES = ("name", "description", "sources", "is_changed")
"""What a policy says besides its rules: no part of its content's hash."""
SOURCE_UNTOLD = "not told"
SOURCE_IS_RUN = "this run's --set"


def one_of(*values: str, source: str | None = None) -> dict[str, Any]:
    """A field's metadata: the words it takes, and the source of its default."""
    return {"values": values, "source": source}


def of(source: str) -> dict[str, Any]:
    """A field's metadata: the source of its default."""
    return {"source": source}


@dataclass(frozen=True)
class Eligibility:
    """Which months count (design section 3.1)."""

    coverage_rule: str = field(
        default="first_of_month",
        metadata=one_of(*COVERAGE_RULES, source="house choice: covered on the first, covered for the month"),
    )
    part_a_b: str = field(
        default="full_window",
        metadata=one_of(
            "full_window", "current_month", "none", source="design 3.1: in both for all of the two-year window"
        ),
    )
    window_months: int = field(
        default=24,
        metadata=of("design 3.1; CMS, Direct Contracting Financial Operating Guide 1.1, table B.2.1"),
    )
    lag_months: int = field(
        default=0, metadata=of("house choice: the window ends with December of the performance year")
    )
    exclude_medicare_advantage: bool = field(
        default=True, metadata=of("design 3.1, by the month; 42 CFR 425.401(a), by the year")
    )
    exclude_medicare_secondary: bool = field(
        default=True, metadata=of("design 3.1: Medicare does not see all of the cost")
    )
    exclude_non_us: bool = field(
        default=False, metadata=of("house choice: off; 42 CFR 425.401(a) asks the last covered month")
    )
    dual: str = field(
        default="any",
        metadata=one_of("any", "full", source="design 3.1: dual codes 01-06 and 08, full and partial"),
    )
    months_stop: bool = field(
        default=False, metadata=of("house choice: off; each month is judged by itself (on: policy reach)")
    )

    def __post_init__(self) -> None:
        if not 1 <= self.window_months <= MOST_WINDOW_MONTHS:
            raise ConfigError(
                f"eligibility.window_months is {self.window_months}: give a number from 1 to {MOST_WINDOW_MONTHS}"
            )
        if not 0 <= self.lag_months <= MOST_WINDOW_MONTHS:
            raise ConfigError(
                f"eligibility.lag_months is {self.lag_months}: give a number from 0 to {MOST_WINDOW_MONTHS}"
            )


@dataclass(frozen=True)
class Cost:
    """Which dollars, and in which month (design section 3.2)."""

    amount: str = field(default="paid", metadata=one_of("paid", "allowed", source="design 3.2: the plan's own cost"))
    basis: str = field(
        default="total_cost_of_care",
        metadata=one_of(
            "total_cost_of_care",
            "reimbursed_to_network",
            source="house choice: all costs of its members, wherever incurred",
        ),
    )
    claim_month: str = field(
        default="thru", metadata=one_of("thru", "from", source="house choice: the month of the last day of service")
    )
    include_pharmacy: bool = field(default=False, metadata=of("design 3.2: Part D stands beside the total"))
    exclude_ime_dsh_uncompensated: bool = field(
        default=False, metadata=of("house choice: off, what was paid counts; 42 CFR 425.605(a) leaves IME and DSH out")
    )
    include_pass_through: bool = field(default=True, metadata=of("design 3.2: part of what a stay was paid"))
    sequestration_add_back: bool = field(
        default=False, metadata=of("house choice: off, what was paid counts, after the cut")
    )
    completion: str = field(
        default="none",
        metadata=one_of("none", "supplied", "chain_ladder", source="house choice: off, what is paid so far counts"),
    )
    truncation: str = field(
        default="none",
        metadata=one_of("none", "percentile", "supplied", source="house choice: off, every dollar counts"),
    )
    truncation_percentile: float = field(
        default=99.0, metadata=of("42 CFR 425.605(a): the 99th percentile; used where truncation is percentile")
    )
    steps: tuple[str, ...] = field(default=STEPS, metadata=of("design 3.2"))

    def __post_init__(self) -> None:
        unknown = [step for step in self.steps if step not in STEPS]
        if unknown:
            raise ConfigError(f"cost.steps names {unknown[0]}, which is no step (one of: {', '.join(STEPS)})")
        if sorted(self.steps) != sorted(STEPS):
            raise ConfigError(f"cost.steps is {', '.join(self.steps)}: name each of {', '.join(STEPS)} once")
        if not self.steps.index("annualize") < self.steps.index("truncate") < self.steps.index("weight"):
            raise ConfigError("cost.steps: annualize comes before truncate, and weight after it")
        percentile = self.truncation_percentile
        if not 0 < percentile <= 100 or round(percentile, 4) != percentile:
            raise ConfigError(
                f"cost.truncation_percentile is {percentile}: give a number above 0 up to 100, with at most 4 decimals"
            )

    @property
    def after_truncation(self) -> tuple[str, ...]:
        """The steps that come after the truncation, where the policy truncates."""
        return () if self.truncation == "none" else self.steps[self.steps.index("truncate") + 1 :]


@dataclass(frozen=True)
class Attribution:
    """Whose member it is (design section 3.3)."""

    method: str = field(
        default="plurality",
        metadata=one_of(
            "plurality", "roster", "mssp", "reach", source="design 3.3: most allowed charges for primary care services"
        ),
    )
    window: str = field(
        default="performance_year",
        metadata=one_of(*WINDOWS, source="design 3.3: services of the year itself"),
    )
    participants_as_of: str = field(
        default="line_date",
        metadata=one_of("line_date", "start_of_year", source="design 3.3: the roster on the day of service"),
    )
    shared_participants: str = field(
        default="lowest_network_id",
        metadata=one_of("lowest_network_id", "exclude", source="design 3.3: an id on two rosters"),
    )
    code_year: str = field(
        default="performance",
        metadata=one_of("performance", "service", source="design 3.3: the code set of the performance year"),
    )
    voluntary: bool = field(
        default=False, metadata=of("house choice: the member_attribution list is the method roster's alone")
    )

    snf_exclusion: str = field(
        default="place_or_stay",
        metadata=one_of("place_or_stay", "place", source="42 CFR 425.400(c); house choice: a stay by its claim, too"),
    )
    specialty_fallback: bool = field(
        default=True, metadata=of("house choice: a line without a specialty takes that of its NPI in providers")
    )
    network_types: tuple[str, ...] = field(
        default=NETWORK_TYPES, metadata=of("house choice: networks of every type compete")
    )
    alignment_window_requires: str = field(
        default="a_and_b",
        metadata=one_of(
            "a_and_b",
            "a_and_b_without_part_c",
            source="house choice: of reach; Part C is asked of the first month alone",
        ),
    )
    min_charge: float = field(default=0.0, metadata=of("house choice: a service counts above 0 dollars"))

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.network_types if kind not in NETWORK_TYPES]
        if unknown or not self.network_types:
            raise ConfigError(
                f"attribution.network_types names {unknown[0] if unknown else 'nothing'}: give some of "
                f"{', '.join(NETWORK_TYPES)}"
            )
        if not 0 <= self.min_charge <= MOST_CHARGE or round(self.min_charge, 2) != self.min_charge:
            raise ConfigError(
                f"attribution.min_charge is {self.min_charge}: give dollars and cents from 0 to {MOST_CHARGE:,}"
            )
        # the order says nothing: one rule has one hash
        object.__setattr__(self, "network_types", tuple(kind for kind in NETWORK_TYPES if kind in self.network_types))
        if self.method == "reach" and self.window in ("retrospective", "prospective"):
            raise ConfigError(
                f'attribution.window = "{self.window}" is not of reach: alignment_periods tells its years'
            )


@dataclass(frozen=True)
class Risk:
    """Which risk (design section 3.4)."""

    scores: str = field(
        default="supplied", metadata=one_of("supplied", "computed", "supplied_else_computed", source="design 3.4")
    )
    weighting: str = field(
        default="members",
        metadata=one_of("members", "member_months", source="design 3.4: plain mean of the members' scores"),
    )
    normalization: str = field(
        default="table",
        metadata=one_of("table", "population", "supplied", source="design 3.4: the factors published for each year"),
    )
    by_enrollment_type: bool = field(
        default=False, metadata=of("design 3.4: one divisor for all; 42 CFR 425.652(a) goes by type")
    )
    cap: str = field(
        default="none", metadata=one_of("none", "growth", "both", source="house choice: off, risk counts as it is")
    )
    cap_percent: float = field(
        default=3.0, metadata=of("42 CFR 425.610(a)(2): 3% since the reference year; used where cap is not none")
    )
    cap_reference_year: int = field(default=0, metadata=of("house choice: 0, none; told where cap is not none"))
    by_month: bool = field(
        default=False, metadata=of("house choice: off; computed scores as of each month of the collection year")
    )

    def __post_init__(self) -> None:
        if self.by_month and self.scores == "supplied":
            raise ConfigError('risk.by_month: supplied scores are of a year; set risk.scores to "computed"')
        if self.by_enrollment_type and self.normalization == "table":
            raise ConfigError(
                'risk.by_enrollment_type: the table has one factor a year; set risk.normalization to "population" or '
                '"supplied"'
            )
        if self.cap != "none" and self.cap_reference_year == 0:
            raise ConfigError(f"risk.cap is {self.cap}: risk.cap_reference_year says since which year")
        if not 0 <= self.cap_percent < 100:
            raise ConfigError(f"risk.cap_percent is {self.cap_percent}: give a number from 0 to below 100")


@dataclass(frozen=True)
class Outcomes:
    """How outcomes are counted (payment and outcomes, section 5)."""

    same_day_same_hospital: str = field(
        default="merge",
        metadata=one_of(
            "merge",
            "separate",
            source="payment and outcomes, section 5: back in one hospital on the day of discharge is one stay",
        ),
    )
    pcr_max_age: int = field(
        default=0,
        metadata=of("payment and outcomes, section 5: 0, no highest age; 64 for commercial plans and Medicaid"),
    )
    pcr_gap_days: int = field(
        default=45, metadata=of("payment and outcomes, section 5: one gap of at most 45 days in the year before")
    )
    pcr_outlier_stays: int = field(
        default=0,
        metadata=of(
            "payment and outcomes, section 5: 0, nobody is left out for many stays; else from how many index stays on"
        ),
    )
    ed_admitted: str = field(
        default="exclude",
        metadata=one_of(
            "exclude",
            "include",
            source="payment and outcomes, section 5: a visit that ends in admission is the admission",
        ),
    )

    def __post_init__(self) -> None:
        if self.pcr_max_age != 0 and not YOUNGEST_PCR <= self.pcr_max_age <= OLDEST:
            raise ConfigError(
                f"outcomes.pcr_max_age is {self.pcr_max_age}: give 0 for none, or years from {YOUNGEST_PCR} to {OLDEST}"
            )
        if not 0 <= self.pcr_gap_days <= DAYS_BEFORE:
            raise ConfigError(f"outcomes.pcr_gap_days is {self.pcr_gap_days}: give days from 0 to {DAYS_BEFORE}")
        if self.pcr_outlier_stays < 0 or self.pcr_outlier_stays == 1:
            raise ConfigError(
                f"outcomes.pcr_outlier_stays is {self.pcr_outlier_stays}: give 0 for none, or a number from 2"
            )


@dataclass(frozen=True)
class Setting:
    """One setting as it stands in a policy: dotted key, value, and where the value comes from."""

    key: str
    value: Any
    source: str


@dataclass(frozen=True)
class Policy:
    """The rules of one policy file. `label` is what gold rows carry."""

    name: str
    eligibility: Eligibility = Eligibility()
    cost: Cost = Cost()
    attribution: Attribution = Attribution()
    risk: Risk = Risk()
    outcomes: Outcomes = Outcomes()
    is_changed: bool = False
    description: str = field(default="", compare=False)
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)
    """The file's own sources, by dotted key."""

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ConfigError("policy.name is empty: gold rows carry it")

    @property
    def content_hash(self) -> str:
        """Hash of what the policy says, whatever the order of its lines."""
        said = {key: value for key, value in asdict(self).items() if key not in NOT_RULES}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    @property
    def label(self) -> str:
        """The policy's name; where a run changed a setting: name, `*` and six digits of the content's hash."""
        return f"{self.name}*{self.content_hash[:6]}" if self.is_changed else self.name

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Every setting in the order of this module, with its source: the file's, else that of the default it keeps."""
        sections = [part.name for part in fields(self) if part.name not in NOT_RULES]
        return tuple(self._setting(name, spec) for name in sections for spec in fields(getattr(self, name)))

    def _setting(self, section: str, spec: Field[Any]) -> Setting:
        key, value = f"{section}.{spec.name}", getattr(getattr(self, section), spec.name)
        return Setting(key, value, self.sources.get(key) or _source_of_default(spec, value))


def _source_of_default(spec: Field[Any], value: Any) -> str:
    """The source beside a default speaks for that value alone."""
    told = spec.metadata.get("source") if value == spec.default else None
    return told or SOURCE_UNTOLD


def policy_from(said: Mapping[str, Any], where: str, changes: Mapping[str, Any] | None = None) -> Policy:
    """A policy from the content of its file and the changes of one run.

    Raises:
        ConfigError: an unknown key, a value that its key does not take, a source of no setting, or no name.
    """
    original = _read(said, where)
    if not changes:
        return original
    merged: dict[str, Any] = {key: dict(value) if isinstance(value, Mapping) else value for key, value in said.items()}
    for section, values in changes.items():
        if isinstance(values, Mapping):
            merged[section] = {**merged.get(section, {}), **values}
        else:
            merged[section] = values
    changed = _read(merged, f"{where} with --set")
    if changed.content_hash == original.content_hash:
        return changed
    before = {setting.key: setting.value for setting in original.settings}
    by_run = {setting.key: SOURCE_IS_RUN for setting in changed.settings if setting.value != before[setting.key]}
    return replace(changed, is_changed=True, sources={**changed.sources, **by_run})


def policy_of_run(said: Mapping[str, Any]) -> Policy:
    """A policy as a run's settings tell it; what was no setting then has its default, which left the figures alone."""

    def known(kind: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
        told = {spec.name: values[spec.name] for spec in fields(kind) if spec.name in values}
        return {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}

    parts = {"eligibility": Eligibility, "cost": Cost, "attribution": Attribution, "risk": Risk, "outcomes": Outcomes}
    rules = {name: kind(**known(kind, said.get(name, {}))) for name, kind in parts.items()}
    return Policy(**{**known(Policy, said), **rules})


def _read(said: Mapping[str, Any], where: str) -> Policy:
    policy = read_settings(Policy, said, where, hidden=("is_changed",))
    known = [setting.key for setting in policy.settings]
    for key in policy.sources:
        if key not in known:
            raise ConfigError(f"{where}: sources names {key}, which is no setting (known here: {', '.join(known)})")
    return policy
