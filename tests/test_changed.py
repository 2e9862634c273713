"""What is made of changed claims and members alone is what is made of all: by hand, and for every stage that goes by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark import changed, pipeline
from pmpm_spark.changed import CHANGED, Changes, Ids, Patch
from pmpm_spark.config import RunConfig, Source, Warehouse
from pmpm_spark.generate import generate
from pmpm_spark.pipeline import setting_of, slices_of
from pmpm_spark.policy import Attribution, Cost, Policy, Risk
from pmpm_spark.stage import CLAIM, MEMBER, Stage
from pmpm_spark.stages import STAGES, built, stages_of
from pmpm_spark.store import Store
from pmpm_spark.table import Table, column, conform, count, text
from pmpm_spark.warehouse import published

pytestmark = [pytest.mark.delta, pytest.mark.timeout(1800)]

LINES = Table(
    "silver.lines", "one row a line", ("claim_id",), (text("claim_id", ""), text("member_id", ""), count("cents", ""))
)
RATES = Table("silver.rates", "one row", ("rate",), (count("rate", ""),))
OF_CLAIM = Table(
    "silver.of_claim",
    "one row a claim",
    ("claim_id",),
    (text("claim_id", ""), text("member_id", ""), count("cents", ""), column("tags", T.ArrayType(T.StringType()), "")),
)
OF_MEMBER = Table("silver.of_member", "one row a member", ("member_id",), (text("member_id", ""), count("cents", "")))


def of_claim(lines: DataFrame, rates: DataFrame) -> DataFrame:
    priced = lines.join(F.broadcast(rates), how="cross").withColumn("cents", F.col("cents") * F.col("rate"))
    sums = priced.groupBy("claim_id").agg(F.min("member_id").alias("member_id"), F.sum("cents").alias("cents"))
    return sums.withColumn("tags", F.array(F.lit("a"), F.col("member_id")))


def of_member(claims: DataFrame) -> DataFrame:
    return claims.groupBy("member_id").agg(F.sum("cents").alias("cents"))


BY_CLAIM = Stage(OF_CLAIM, (LINES, RATES), of_claim, by=CLAIM)
BY_MEMBER = Stage(OF_MEMBER, (OF_CLAIM,), of_member, by=MEMBER)

FIRST = {
    "A1": ("A", 100),
    "A2": ("A", 10),
    "B1": ("B", 200),
    "C1": ("C", 400),
    "C2": ("C", 800),
    "C3": ("C", 1600),
    "D1": ("D", 7),
}


class House:
    """Three tables, and what a next run makes of them."""

    def __init__(self, spark: SparkSession, folder: Path, lines: Mapping[str, tuple[str, int]]) -> None:
        self.spark = spark
        self.store = Store(spark, Warehouse(str(folder)))
        self.publish_lines(lines)
        self.publish_rate(1)
        changes = self.changes()
        self.receipts = {stage.output.name: changes.publish(stage, None) for stage in (BY_CLAIM, BY_MEMBER)}

    def changes(self) -> Changes:
        return Changes(self.store, dict(self.store.versions), "batch", {}, _build)

    def publish_lines(self, lines: Mapping[str, tuple[str, int]]) -> None:
        rows = [(claim, *told) for claim, told in lines.items()]
        self.store.publish(LINES, self.spark.createDataFrame(rows, LINES.schema))

    def publish_rate(self, rate: int) -> None:
        self.store.publish(RATES, self.spark.createDataFrame([(rate,)], RATES.schema))

    def next_run(self, lines: Mapping[str, tuple[str, int]] | None = None, rate: int | None = None) -> dict[str, str]:
        """How each table was made: whole, added to, replaced, or left."""
        changes = self.changes()
        if lines is not None:
            self.publish_lines(lines)
        if rate is not None:
            self.publish_rate(rate)
        how = {}
        for stage in (BY_CLAIM, BY_MEMBER):
            name = stage.output.name
            patch = changes.patch(stage, self.receipts[name])
            how[name] = _told(patch)
            self.receipts[name] = changes.publish(stage, patch)
            assert self.receipts[name].rows == self.store.read(stage.output).count()
        return how

    def rows(self, table: Table) -> dict[str, int]:
        told = self.store.read(table).collect()
        assert len({row[0] for row in told}) == len(told)
        return {row[0]: row["cents"] for row in told}


def _build(stage: Stage, read: Any) -> DataFrame:
    return stage.build(*[read(table) for table in stage.inputs])


def _told(patch: Patch | None) -> str:
    if patch is None:
        return "whole"
    if patch.frame is None:
        return "left"
    return "added" if patch.is_added else "replaced"


@pytest.fixture(autouse=True)
def _worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changed, "WORTH_ROWS", 0)


@pytest.fixture
def house(spark: SparkSession, tmp_path: Path) -> House:
    return House(spark, tmp_path, FIRST)


def test_new_claims_are_added_and_their_members_made_anew(house: House) -> None:
    assert house.next_run({**FIRST, "B2": ("B", 1)}) == {"silver.of_claim": "added", "silver.of_member": "replaced"}
    assert house.rows(OF_CLAIM) == {**{claim: cents for claim, (_, cents) in FIRST.items()}, "B2": 1}
    assert house.rows(OF_MEMBER) == {"A": 110, "B": 201, "C": 2800, "D": 7}


def test_a_claim_that_moves_to_another_member_changes_both_and_one_that_goes_is_gone(house: House) -> None:
    moved = {**FIRST, "A2": ("B", 10)}
    assert house.next_run(moved) == {"silver.of_claim": "replaced", "silver.of_member": "whole"}  # two of four members
    assert house.rows(OF_MEMBER) == {"A": 100, "B": 210, "C": 2800, "D": 7}
    left = {claim: told for claim, told in moved.items() if claim != "A2"}
    assert house.next_run(left) == {"silver.of_claim": "replaced", "silver.of_member": "replaced"}
    assert house.rows(OF_CLAIM) == {claim: cents for claim, (_, cents) in left.items()}
    assert house.rows(OF_MEMBER) == {"A": 100, "B": 200, "C": 2800, "D": 7}


def test_the_same_rows_written_anew_leave_what_is_made_of_them(house: House) -> None:
    before = house.store.versions[OF_CLAIM.name]
    assert house.next_run(dict(FIRST)) == {"silver.of_claim": "left", "silver.of_member": "left"}
    assert house.store.versions[OF_CLAIM.name] == before
    assert house.next_run({**FIRST, "B2": ("B", 1)})["silver.of_claim"] == "added"  # its receipt knows the newer input


def test_what_tells_no_claim_changes_all_and_most_changed_is_all(house: House) -> None:
    assert house.next_run(rate=2)["silver.of_claim"] == "whole"
    assert house.rows(OF_MEMBER) == {"A": 220, "B": 400, "C": 5600, "D": 14}
    doubled = {claim: (member, 2 * cents if member == "C" else cents) for claim, (member, cents) in FIRST.items()}
    assert house.next_run(doubled)["silver.of_claim"] == "whole"
    assert house.rows(OF_MEMBER) == {"A": 220, "B": 400, "C": 11200, "D": 14}


def test_two_stages_of_the_same_tables_find_their_members_once(house: House) -> None:
    def of_both(lines: DataFrame, claims: DataFrame) -> DataFrame:
        return lines.select("member_id", "cents").unionByName(claims.select("member_id", "cents"))

    both = [
        replace(BY_MEMBER, output=replace(OF_MEMBER, name=f"silver.{name}"), inputs=(LINES, OF_CLAIM)) for name in "ab"
    ]
    stages = [replace(stage, build=lambda *frames: of_member(of_both(*frames))) for stage in both]
    made = {stage.output.name: house.changes().publish(stage, None) for stage in stages}
    changes = house.changes()
    house.publish_lines({**FIRST, "B2": ("B", 1)})
    changes.publish(BY_CLAIM, changes.patch(BY_CLAIM, house.receipts[OF_CLAIM.name]))
    for stage in stages:
        changes.publish(stage, changes.patch(stage, made[stage.output.name]))
        assert house.rows(stage.output) == {"A": 220, "B": 402, "C": 5600, "D": 14}
    found = [tuple(row) for row in house.store.read(CHANGED).collect()]
    assert len(found) == len(set(found))
    assert ("silver.lines + silver.of_claim by member_id", "", "B") in found


def test_what_was_not_made_of_what_stood_is_made_whole(house: House) -> None:
    house.publish_lines({**FIRST, "B2": ("B", 1)})  # by a run that left the others
    assert house.next_run({**FIRST, "B2": ("B", 1), "B3": ("B", 2)})["silver.of_claim"] == "whole"
    assert house.rows(OF_MEMBER)["B"] == 203


def test_a_changed_row_of_an_input_without_the_id_changes_those_whom_it_concerns_alone(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A discount by amount of a claim: new ones, changed ones, and those that are no more."""
    monkeypatch.setattr(changed, "MOST", 1.0)
    discounts = Table("silver.discounts", "one row an amount", ("amount",), (count("amount", ""), count("less", "")))

    def discounted(lines: DataFrame, less: DataFrame) -> DataFrame:
        found = lines.join(less, F.col("cents") == F.col("amount"), how="left")
        return of_member(found.withColumn("cents", F.col("cents") - F.coalesce("less", F.lit(0))))

    def whose(less: DataFrame, lines: DataFrame) -> DataFrame:
        return lines.join(less, F.col("cents") == F.col("amount"), how="left_semi").select("member_id")

    stage = Stage(OF_MEMBER, (LINES, discounts), discounted, by=MEMBER, touched={discounts.name: whose})
    house = House(spark, tmp_path, FIRST)
    house.store.publish(discounts, spark.createDataFrame([(100, 1), (400, 2), (800, 3)], discounts.schema))
    former = house.changes().publish(stage, None)
    assert house.rows(OF_MEMBER) == {"A": 109, "B": 200, "C": 2795, "D": 7}
    changes = house.changes()
    house.store.publish(discounts, spark.createDataFrame([(400, 2), (800, 4), (7, 5), (9, 9)], discounts.schema))
    patch = changes.patch(stage, former)
    assert _told(patch) == "replaced"
    changes.publish(stage, patch)
    assert house.rows(OF_MEMBER) == {"A": 110, "B": 200, "C": 2794, "D": 2}
    found = {tuple(row) for row in house.store.read(CHANGED).collect()}
    assert found == {("silver.discounts for silver.of_member by member_id", "", member) for member in "ACD"}


POLICIES = (
    Policy("default"),
    Policy(
        "computed", cost=Cost(truncation="percentile", truncation_percentile=90.0), risk=Risk("computed", by_month=True)
    ),
    Policy("mssp", attribution=Attribution(method="mssp", voluntary=True), cost=Cost(completion="chain_ladder")),
)
OF_AN_ID = [stage for stage in stages_of("rif") if stage.by is not None]


@pytest.fixture(scope="module")
def ran(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunConfig]:
    folder = tmp_path_factory.mktemp("of_an_id")
    generate(spark, str(folder / "files"), members=120, years=(2020, 2022), seed=7)
    lists = ("network_roster", "providers", "risk_scores", "member_attribution")
    source = Source("rif", str(folder / "files"), **{name: str(folder / "files" / name) for name in lists})
    config = RunConfig(source, Warehouse(str(folder / "warehouse")), (2021, 2022), POLICIES)
    pipeline.run(spark, config)
    yield config


@pytest.mark.parametrize("stage", OF_AN_ID, ids=lambda stage: stage.output.short_name)
def test_of_some_ids_a_stage_makes_what_it_makes_of_all(stage: Stage, ran: RunConfig, spark: SparkSession) -> None:
    """A third of the ids: `some` are the rows that the stage makes of their rows alone, `stored` are theirs of all."""
    unit = str(stage.by)
    assert unit in stage.output.column_names
    run = published(spark, ran).run
    store = Store(spark, ran.warehouse, ran.reference.path, run.versions)
    every = store.read(stage.output)
    frame = every.select(unit).distinct().where(F.pmod(F.xxhash64(unit), F.lit(3)) == 0)
    ids = Ids(unit, frame, frame.count())

    def build(stage: Stage, read: Any) -> DataFrame:
        return built(stage, read, partial(setting_of, ran), ran.reference.path)

    changes = Changes(store, run.versions, "no batch", slices_of(ran), build)
    some = conform(build(stage, lambda table: changes.rows_of(stage, table, ids)), stage.output)
    stored = ids.of(every)
    differ = [left.exceptAll(right).count() for left, right in ((some, stored), (stored, some))]
    assert (differ, ids.count > 0, stored.count() < every.count()) == ([0, 0], True, True)


def test_the_stages_of_the_common_model_that_go_by_an_id_are_these() -> None:
    """The others are of networks, or quickly made."""
    assert {stage.output.short_name: stage.by for stage in STAGES if stage.by} == {
        **dict.fromkeys(
            ("claim_lines", "claim_diagnoses", "claim_procedures", "final_claim_lines", "hospital_claims"), CLAIM
        ),
        **dict.fromkeys(
            (
                "eligibility_spans",
                "claim_costs",
                "primary_care_services",
                "secondary_payer_months",
                "member_months",
                "attribution",
                "member_month_costs",
                "truncated_costs",
                "risk_profiles",
                "risk_diagnoses",
                "member_hccs",
                "risk_factors",
                "risk_scores",
                "risk_scores_by_month",
                "member_years",
                "hospital_stays",
                "hospital_episodes",
                "readmissions",
            ),
            MEMBER,
        ),
    }
