"""A payer whose enrollment and lists change between payment runs: what stands is published, money is paid, and after
every run the ledger and what is kept back add up to what is due."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pmpm_spark import intake
from pmpm_spark.capitation import CapitationResult, capitate
from pmpm_spark.config import load_config
from pmpm_spark.gold.capitation_ledger import CAPITATION_LEDGER, CAPITATION_UNPOSTED
from pmpm_spark.gold.member_month_changes import MEMBER_MONTH_CHANGES
from pmpm_spark.gold.membership_reconciliation import MEMBERSHIP_RECONCILIATION
from pmpm_spark.model import (
    COVERAGE_RECORDS,
    LOAD_AUDIT,
    MEMBERS,
    SOURCE_FILES,
)
from pmpm_spark.reference import ALIGNMENT_PERIODS
from pmpm_spark.runs import CAPITATION_RUNS, RunBook, contract_hashes, new_run_id
from pmpm_spark.silver.attribution import ATTRIBUTION
from pmpm_spark.silver.capitation_due import CAPITATION_DUE
from pmpm_spark.silver.claim_costs import CLAIM_COSTS
from pmpm_spark.silver.completion_factors import COMPLETION_FACTORS
from pmpm_spark.silver.eligibility_spans import ELIGIBILITY_SPANS, eligibility_spans
from pmpm_spark.silver.member_month_costs import MEMBER_MONTH_COSTS
from pmpm_spark.silver.member_months import MEMBER_MONTHS, member_months
from pmpm_spark.silver.risk_scores import RISK_SCORES
from pmpm_spark.silver.secondary_payer_months import SECONDARY_PAYER_MONTHS
from pmpm_spark.silver.told_months import TOLD_MONTHS, told_months
from pmpm_spark.sources.lists import LISTS, accepted_rows, list_files, list_load
from pmpm_spark.stages import STORED
from pmpm_spark.store import Store, empty
from pmpm_spark.table import Table, conform, small_frame
from tests.tables import frame

NOW = datetime(2024, 1, 1, tzinfo=UTC)
HEADS = {
    "contracts": "contract_id,contract_name,network_id,start_date,end_date,month_reasons,retro_limit_months,withhold_share,previous_contract_id",
    "contract_rates": "contract_id,effective_from,effective_to,rate",
    "contract_members": "contract_id,member_id,start_date,end_date,recorded_on",
    "contract_budget": "contract_id,year,service_category,member_months,services_per_1000,cost_per_service",
    "contract_finance": "contract_id,year,withhold_returned",
    "payer_member_months": "contract_id,member_id,coverage_month,amount",
}
LISTED = [the_list for the_list in LISTS if the_list.setting in HEADS]
COVERAGE = (
    "member_id | coverage_start | coverage_end | plan_id | recorded_on | in_medicare_advantage | medicare_status_code\n"
)
PEOPLE = "member_id | birth_date | sex | death_date\n"

Line = tuple[int, str, str, str]
"""Posting run, month, reason and amount of a line of the ledger."""


@dataclass
class Payer:
    """`coverage` and `people` are tables as text, `lists` comma-separated rows by name; `attributed` member and
    network, `renamed` the ids that contracts have now by those that they had."""

    spark: SparkSession
    folder: Path
    engine: str
    coverage: str = ""
    people: str = ""
    lists: dict[str, str] = field(default_factory=dict)
    attributed: tuple[tuple[str, str], ...] = ()
    renamed: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "policy.toml").write_text('name = "p"\n[eligibility]\npart_a_b = "none"\n')
        self.config_file = self.folder / "config.toml"
        self.config_file.write_text(
            f'performance_years = [2023]\npolicy = "{self.folder / "policy.toml"}"\nengine = "{self.engine}"\n'
            f'[source]\nkind = "common"\npath = "x"\n[warehouse]\npath = "{self.folder / "warehouse"}"\n'
        )
        self.config = load_config(str(self.config_file))
        self._published: dict[str, str] = {}
        self._audits: dict[str, list[Any]] = {}

    def load(self) -> None:
        """Publish what is not as it was, as a run would."""
        book = RunBook(self.spark, self.config.warehouse)
        last = book.last_finished()
        store = Store(self.spark, self.config.warehouse, None, dict(last.versions) if last else {})
        if self._is_new("enrollment", self.coverage + self.people):
            self._publish_enrollment(store)
        if self._is_new("attribution", repr(self.attributed)):
            rows = "\n".join(f"p | 2023 | {who} | {network}" for who, network in self.attributed)
            text = f"policy | performance_year | member_id | network_id\n{rows}"
            store.publish(ATTRIBUTION, frame(self.spark, ATTRIBUTION, text))
            for table in (RISK_SCORES, MEMBER_MONTH_COSTS, CLAIM_COSTS, COMPLETION_FACTORS):
                store.publish(table, empty(self.spark, table))
        self._publish_lists(store)
        policies = [policy.label for policy in self.config.policies]
        hashes = [policy.content_hash for policy in self.config.policies]
        told = {
            "policies": policies,
            "policy_hashes": hashes,
            "contracts": contract_hashes(store, STORED),
            "versions": store.versions,
        }
        book.write(new_run_id(), "finished", **told)

    def _is_new(self, what: str, text: str) -> bool:
        was, self._published[what] = self._published.get(what), text
        return was != text

    def _publish_enrollment(self, store: Store) -> None:
        spark = self.spark
        for table, text in ((COVERAGE_RECORDS, COVERAGE + self.coverage), (MEMBERS, PEOPLE + self.people)):
            store.publish(table, frame(spark, table, text))
        store.publish(ELIGIBILITY_SPANS, eligibility_spans(store.read(COVERAGE_RECORDS)))
        store.publish(TOLD_MONTHS, told_months(store.read(COVERAGE_RECORDS), last_told_day=None))
        months = member_months(
            store.read(ELIGIBILITY_SPANS),
            store.read(MEMBERS),
            empty(spark, SECONDARY_PAYER_MONTHS),
            store.read(TOLD_MONTHS),
            store.read(ALIGNMENT_PERIODS),
            policies=self.config.policies,
            performance_years=(2023,),
        )
        store.publish(MEMBER_MONTHS, months)

    def _publish_lists(self, store: Store) -> None:
        changed = [one for one in LISTED if self._is_new(one.setting, self.lists.get(one.setting, ""))]
        for the_list in changed:
            path = self.folder / f"{the_list.setting}.csv"
            path.write_text(f"{HEADS[the_list.setting]}\n{self.lists.get(the_list.setting, '')}".rstrip() + "\n")
            (file,), _ = list_files(self.spark, the_list, str(path))
            load = list_load(self.spark, the_list, (file,), "b", NOW)
            store.publish(load.table, load.frame)
            store.publish(the_list.silver, accepted_rows((the_list,), load.frame))
            told = (load.table.name, file.name, "b", file.fingerprint, file.rows, file.text_bytes, NOW)
            register = small_frame(self.spark, [told], SOURCE_FILES.schema)
            audit = conform(intake.load_audit(register, the_list.rows(load.frame)), LOAD_AUDIT).collect()
            self._audits[the_list.setting] = [tuple(row) for row in audit]
        if changed:
            rows = [row for of_list in self._audits.values() for row in of_list]
            store.publish(LOAD_AUDIT, self.spark.createDataFrame(rows, LOAD_AUDIT.schema))

    def pay(self, as_of: date, **settings: str) -> CapitationResult:
        """One payment run, after which everything adds up."""
        sets = [f"capitation.{name}={value}" for name, value in settings.items()]
        config = load_config(str(self.config_file), sets)
        result = capitate(self.spark, config, as_of)
        self.adds_up()
        return result

    def read(self, table: Table) -> DataFrame:
        last = RunBook(self.spark, self.config.warehouse).last_finished()
        assert last is not None
        return Store(self.spark, self.config.warehouse, None, dict(last.versions)).read(table)

    def adds_up(self) -> None:
        """Ledger so far + unposted of the latest run = due now, by contract, member and month; withhold likewise."""
        sums: dict[Any, list[Decimal]] = {}

        def add(row: Any, amount: Decimal, withheld: Decimal) -> None:
            contract_id = self.renamed.get(row["contract_id"], row["contract_id"])
            key = (contract_id, row["member_id"], row["coverage_month"])
            told = sums.setdefault(key, [Decimal(0), Decimal(0)])
            told[0] += amount
            told[1] += withheld

        for row in self.read(CAPITATION_LEDGER).collect():
            add(row, row["amount"], row["withhold_amount"])
        latest = max(row["posting_run"] for row in self.read(CAPITATION_RUNS).collect())
        for row in self.read(CAPITATION_UNPOSTED).where(F.col("posting_run") == latest).collect():
            add(row, row["unposted_amount"], row["unposted_withhold"])
        owed = {
            (row["contract_id"], row["member_id"], row["coverage_month"]): [row["due_amount"], row["withhold_due"]]
            for row in self.read(CAPITATION_DUE).where("is_due").collect()
        }
        of_sums, of_due = ({key: told for key, told in side.items() if any(told)} for side in (sums, owed))
        assert of_sums == of_due

    def lines(self, contract_id: str, member_id: str) -> list[Line]:
        """What the ledger says of a member, in the order in which it was posted."""
        rows = self.read(CAPITATION_LEDGER).where(f"contract_id = '{contract_id}' AND member_id = '{member_id}'")
        return sorted(
            (row["posting_run"], f"{row['coverage_month']:%m}", row["reason"], str(row["amount"]))
            for row in rows.collect()
        )

    def changes(self, member_id: str) -> list[tuple[Any, ...]]:
        """What was counted otherwise: contract, run, month, change, and why it is not due."""
        rows = self.read(MEMBER_MONTH_CHANGES).where(f"member_id = '{member_id}'").collect()
        told = ("contract_id", "posting_run", "coverage_month", "change", "reason_now")
        return sorted((tuple(row[name] for name in told) for row in rows), key=repr)

    def differences(self, member_id: str) -> list[tuple[Any, ...]]:
        """What differs now: contract, month, difference and reason."""
        rows = self.read(MEMBERSHIP_RECONCILIATION).where(f"member_id = '{member_id}'").collect()
        return sorted(
            (row["contract_id"], f"{row['coverage_month']:%m}", row["difference"], row["reason"]) for row in rows
        )
