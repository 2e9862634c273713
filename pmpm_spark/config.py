"""The configuration of a deployment: one TOML file, `--set` on top, read strictly."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from pmpm_spark.engine import ENGINES, SPARK
from pmpm_spark.errors import ConfigError
from pmpm_spark.policy import Policy, one_of, policy_from
from pmpm_spark.properties import find_conf
from pmpm_spark.settings import read_settings

CSV, PARQUET, DELTA, CATALOG = FORMATS = ("csv", "parquet", "delta", "catalog")
"""How the tables of a source may be delivered."""
TABULAR = ("common", "tuva")
"""The kinds of source that may be delivered in each of them."""
SOURCES = ("rif", "cclf", "synpuf", *TABULAR)
"""Every `source.kind`: a package of this name below pmpm_spark/sources. A source is named here and nowhere else."""
IDENTIFIER = re.compile(r"[A-Za-z0-9_\-]+")


def line_or_row(file_format: str) -> str:
    """What a place in a file or table is called: text alone has lines."""
    return "line" if file_format == CSV else "row"


@dataclass(frozen=True)
class AttributionColumns:
    """The list's own name of each column, by ours; `=` and a value where it stands for every row."""

    performance_year: str | None = None
    member_id: str | None = None
    network_id: str | None = None
    physician_npi: str | None = None
    practice_tin: str | None = None
    file_date: str | None = None
    start_date: str | None = None
    end_date: str | None = None


def _format() -> Any:
    return field(default=CSV, metadata=one_of(CSV, PARQUET, DELTA))


@dataclass(frozen=True)
class ListFormats:
    """How each list is delivered."""

    network_roster: str = _format()
    providers: str = _format()
    risk_scores: str = _format()
    member_attribution: str = _format()
    other_initiatives: str = _format()
    contracts: str = _format()
    contract_rates: str = _format()
    contract_members: str = _format()
    contract_budget: str = _format()
    contract_finance: str = _format()
    payer_member_months: str = _format()
    survey_responses: str = _format()


@dataclass(frozen=True)
class Source:
    """What is read: the claims and enrollment of one delivered format, and the lists beside it."""

    kind: str = field(metadata=one_of(*SOURCES))
    path: str = field()
    format: str = field(default=CSV, metadata=one_of(*FORMATS))
    network_roster: str | None = None
    providers: str | None = None
    risk_scores: str | None = None
    member_attribution: str | None = None
    other_initiatives: str | None = None
    contracts: str | None = None
    contract_rates: str | None = None
    contract_members: str | None = None
    contract_budget: str | None = None
    contract_finance: str | None = None
    payer_member_months: str | None = None
    survey_responses: str | None = None
    data_through: str | None = None
    part_c: str = field(default="hmo_indicator", metadata=one_of("hmo_indicator", "part_c_contract"))
    max_reject_share: float = 0.05
    member_attribution_columns: AttributionColumns = AttributionColumns()
    formats: ListFormats = ListFormats()

    def __post_init__(self) -> None:
        if not self.path.strip():
            raise ConfigError("source.path is empty: name a folder or a file")
        if self.format != CSV and self.kind not in TABULAR:
            raise ConfigError(f"source.format is for source.kind {' and '.join(TABULAR)}; {self.kind} has one form")
        if self.format == CATALOG and not all(IDENTIFIER.fullmatch(part) for part in self.path.split(".")):
            raise ConfigError(
                "source.path: name a schema, or catalog.schema, of letters, digits, _ and - (source.format is catalog)"
            )
        if not 0 <= self.max_reject_share <= 1:
            raise ConfigError("source.max_reject_share: a share from 0.0 to 1.0")
        if self.data_through is not None:
            _day_of(self.data_through, "source.data_through")

    def columns_of(self, setting: str) -> dict[str, str]:
        """The own names of a list's columns, by ours."""
        told = asdict(getattr(self, f"{setting}_columns", AttributionColumns()))
        return {ours: theirs for ours, theirs in told.items() if theirs is not None}

    @property
    def last_told_day(self) -> date | None:
        return None if self.data_through is None else _day_of(self.data_through, "source.data_through")


@dataclass(frozen=True)
class Warehouse:
    """Where the tables stand: a folder, or a schema of a catalog; and for how many days earlier runs can be gone back
    to, as files are kept that no longer count."""

    path: str | None = None
    catalog: str | None = None
    schema: str | None = None
    retention_days: int = 7

    def __post_init__(self) -> None:
        if self.path is not None and (not self.path.strip() or "%" in self.path):
            raise ConfigError("warehouse.path: name a folder, without % in its name")
        if (self.path is None) == (self.schema is None) or (self.catalog is not None and self.schema is None):
            raise ConfigError("warehouse: give path, or schema (with or without catalog), and not both")
        if not 1 <= self.retention_days <= 3650:
            raise ConfigError("warehouse.retention_days: a number of days from 1 to 3650")
        for key, name in (("catalog", self.catalog), ("schema", self.schema)):
            if name is not None and not IDENTIFIER.fullmatch(name):
                raise ConfigError(f"warehouse.{key}: only letters, digits, _ and - are allowed")


@dataclass(frozen=True)
class Reference:
    """A folder of tables that add to or replace the shipped reference rows by key and year."""

    path: str | None = None


@dataclass(frozen=True)
class Report:
    """Where `pmpm report` writes its file."""

    path: str | None = None


@dataclass(frozen=True)
class Capitation:
    """How `pmpm capitate` pays: when a month is payable, which of two contracts is paid for one month, and from which
    share of what was allocated a deviation is an alert."""

    pay: str = field(default="in_advance", metadata=one_of("in_advance", "in_arrears"))
    overlap: str = field(default="one", metadata=one_of("one", "both", "error"))
    alert_share: float = 0.05

    def __post_init__(self) -> None:
        if not 0 <= self.alert_share < 1e6:
            raise ConfigError("capitation.alert_share: give a share of what is allocated, 0 or more, as 0.05")


@dataclass(frozen=True)
class Finance:
    """How `financial_performance` is computed: what a loss ratio is of, the deductible factor of a commercial line's
    credibility, which completion factors a policy that completes nothing takes, and from which share of services
    within the network that were paid nothing what fee-for-service would have paid is not told."""

    mlr_revenue: str = field(default="earned", metadata=one_of("earned", "allocated"))
    deductible_factor: float = 1.0
    completion: str = field(default="chain_ladder", metadata=one_of("chain_ladder", "supplied", "none"))
    encounter_share: float = 0.05

    def __post_init__(self) -> None:
        if not 1 <= self.deductible_factor <= 10:
            raise ConfigError("finance.deductible_factor: give the regulation's factor, 1.0 or more, as 1.164")
        if not 0 <= self.encounter_share <= 1:
            raise ConfigError("finance.encounter_share: a share from 0.0 to 1.0")


@dataclass(frozen=True)
class FileConfig:
    source: Source
    warehouse: Warehouse
    performance_years: tuple[int, ...]
    policy: tuple[str, ...] = ("conf/policies/default.toml",)
    reference: Reference = Reference()
    report: Report = Report()
    capitation: Capitation = Capitation()
    finance: Finance = Finance()
    engine: str = field(default=SPARK, metadata=one_of(*ENGINES))


@dataclass(frozen=True)
class RunConfig:
    """Everything that one run depends on. The same config on the same input gives the same tables."""

    source: Source
    warehouse: Warehouse
    performance_years: tuple[int, ...]
    policies: tuple[Policy, ...]
    reference: Reference = Reference()
    engine: str = SPARK
    report: Report = Report()
    capitation: Capitation = Capitation()
    finance: Finance = Finance()

    def __post_init__(self) -> None:
        if not self.performance_years:
            raise ConfigError("performance_years is empty: give at least one year")
        if len(set(self.performance_years)) != len(self.performance_years):
            raise ConfigError("performance_years names a year twice")
        bad = [year for year in self.performance_years if not 1990 <= year <= 2100]
        if bad:
            raise ConfigError(f"performance_years: {bad[0]} is no year from 1990 to 2100")
        labels = [policy.label for policy in self.policies]
        if not labels or len(set(labels)) != len(labels):
            raise ConfigError(f"policy: give at least one, and none twice (given: {', '.join(labels) or 'none'})")


def load_config(path: str | None, sets: Sequence[str] = (), engine: str | None = None) -> RunConfig:
    """The configuration from its file (or from `--set` alone) and the changes of one run; `engine` comes before both.

    Raises:
        ConfigError: names the file and the key.
    """
    config, changes = _file_config(path, sets, engine)
    policies = tuple(load_policy(name, changes) for name in config.policy)
    return RunConfig(
        config.source,
        config.warehouse,
        config.performance_years,
        policies,
        config.reference,
        config.engine,
        config.report,
        config.capitation,
        config.finance,
    )


def policies_named(path: str | None, sets: Sequence[str] = ()) -> list[tuple[Path, Policy]]:
    """The policies of a configuration as a run would take them, each with its file.

    Raises:
        ConfigError: names the file and the key.
    """
    config, changes = _file_config(path, sets)
    return [(policy_file(name), load_policy(name, changes)) for name in config.policy]


def _file_config(path: str | None, sets: Sequence[str], engine: str | None = None) -> tuple[FileConfig, dict[str, Any]]:
    """What the file and `--set` say, and what of it changes the policies."""
    if path is None and not sets:
        raise ConfigError("there is no configuration: give --config FILE, or every setting with --set")
    said = _toml(Path(path)) if path is not None else {}
    where = path if path is not None else "--set"
    changes: dict[str, Any] = {}
    for assignment in sets:
        _assign(said, changes, assignment)
    if engine is not None:
        said["engine"] = engine
    if "policy" in said and isinstance(said["policy"], str):
        said["policy"] = [said["policy"]]
    return read_settings(FileConfig, said, where), changes


def load_policy(name: str, changes: dict[str, Any] | None = None) -> Policy:
    """One policy, by its file or by the name of one that is shipped.

    Raises:
        ConfigError: there is none, or what it says is wrong.
    """
    return policy_from(_toml(policy_file(name)), name, changes)


def shipped_policies() -> dict[str, Path]:
    """The files of the policies that are shipped, by name."""
    folder = find_conf("policies/default.toml").parent
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def policy_file(name: str) -> Path:
    """Where a policy stands: the file of that path, else the shipped one of that name.

    Raises:
        ConfigError: there is neither.
    """
    path, shipped = Path(name), shipped_policies()
    if path.is_file():
        return path
    short = name.removeprefix("conf/").removeprefix("policies/").removesuffix(".toml")
    if short not in shipped:
        raise ConfigError(f"policy: there is no file {name}, and no shipped policy of that name ({', '.join(shipped)})")
    return shipped[short]


def _toml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such file")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not readable as TOML: {error}") from None


def _assign(said: dict[str, Any], changes: dict[str, Any], assignment: str) -> None:
    """Put one `--set dotted.key=value` in its place; keys below `policy.` change the policies of this run."""
    key, equals, value_text = assignment.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise ConfigError(f"--set {assignment}: write dotted.key=value")
    if any(re.search(r"secret|password|token|access_key", part, re.IGNORECASE) for part in parts):
        raise ConfigError(f"--set {key}: secrets do not belong in a configuration")
    target = said
    if parts[0] == "policy" and len(parts) > 1:
        target, parts = changes, parts[1:]
    for part in parts[:-1]:
        inner = target.setdefault(part, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {assignment}: {part} is no table")
        target = inner
    target[parts[-1]] = _value(value_text.strip())


def _value(value_text: str) -> Any:
    """A TOML value, or plain text where it is none."""
    try:
        return tomllib.loads(f"value = {value_text}")["value"]
    except tomllib.TOMLDecodeError:
        return value_text


def _day_of(value: str, key: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ConfigError(f"{key}: {value} is no date: write YYYY-MM-DD") from None
