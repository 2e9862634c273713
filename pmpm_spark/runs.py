"""The book of runs. A run is published when its row here says finished, last of all; readers go by the last such row.

Delta has no transaction over several tables, so the row holds the version of each. A run starts by restoring what an
unfinished one left ahead, under a lock that the operating system frees when the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pyspark.sql import functions as F
from pyspark.sql import types as T

from pmpm_spark.config import Warehouse
from pmpm_spark.errors import BusyError, ConfigError, StageError
from pmpm_spark.logs import RUN_ID
from pmpm_spark.paths import is_local, plain
from pmpm_spark.policy import Policy, policy_of_run
from pmpm_spark.store import UNKNOWN, Receipt, Store, contract_hash
from pmpm_spark.table import TEXTS, Table, column, count, day, money, small_frame, text, year
from pmpm_spark.upgrade import bring_to_contract

if TYPE_CHECKING:
    from pyspark.sql import Row, SparkSession

log = logging.getLogger(__name__)

VERSIONS = T.MapType(T.StringType(), T.LongType())
RECEIPTS = T.ArrayType(
    T.StructType(
        [
            T.StructField("table", T.StringType()),
            T.StructField("version", T.LongType()),
            T.StructField("rows", T.LongType()),
            T.StructField("seconds", T.DoubleType()),
            T.StructField("inputs", VERSIONS),
            T.StructField("engine", T.StringType()),
        ]
    )
)

RUNS = Table(
    name="ops.runs",
    grain="one row per run and status that it reached",
    key=("run_id", "status"),
    columns=(
        text("run_id", "run, in the order of their starts"),
        text("status", "started, finished or failed"),
        column("at", T.TimestampType(), "when it reached the status, UTC"),
        column("policies", TEXTS, "labels of the policies"),
        column("policy_hashes", TEXTS, "content hash of each policy"),
        text("settings", "configuration of the run, JSON"),
        text("inputs", "fingerprints of the reference tables, all and each, and files loaded before and now, JSON"),
        column("versions", VERSIONS, "Delta version of each table"),
        column("contracts", T.MapType(T.StringType(), T.StringType()), "hash of each table's contract"),
        column("receipts", RECEIPTS, "one per table written: version, rows, seconds, versions read, and the engine"),
        column("notices", TEXTS, "what the run said in plain words"),
    ),
    rules={"status_is_known": "status IN ('started', 'finished', 'failed')"},
    key_is_built_in=True,
)

CAPITATION_RUNS = Table(
    name="ops.capitation_runs",
    grain="one row per payment run and contract, also where it posted no line",
    key=("posting_run", "contract_id"),
    columns=(
        year("posting_run", "number of the payment run, 1 up"),
        text("contract_id", "contract, as it was called then"),
        day("as_of", "day as known on which it was posted"),
        day("payable_through", "last month that was payable"),
        text("terms", "the contract's terms then, JSON"),
        text("previous_contract_id", "id that the contract had before"),
        count("lines", "lines posted"),
        money("amount", "posted"),
        money("unposted_amount", "kept back by the limit"),
        text("run_id", "run that posted it"),
        text("pays_for", "whose months it pays: list (its rows of contract_members), or attributed"),
    ),
    rules={"pays_for_is_known": "pays_for IN ('list', 'attributed')"},
)


RUN_ID_FORMAT = "%Y%m%dT%H%M%S%f"


@dataclass(frozen=True)
class Run:
    """A finished run: which version of each table counts."""

    run_id: str
    versions: Mapping[str, int]
    contracts: Mapping[str, str]
    policies: Sequence[str]
    settings: str
    notices: Sequence[str] = field(default_factory=tuple)
    policy_hashes: Sequence[str] = field(default_factory=tuple)
    inputs: str = "{}"

    @property
    def told(self) -> dict[str, Any]:
        """By which policies and settings it was made, as another row of the book says it of the same tables."""
        return {"policies": self.policies, "policy_hashes": self.policy_hashes, "settings": self.settings}

    @property
    def what(self) -> str:
        """A run, a payment run, maintenance, or a rollback and where to."""
        told = json.loads(self.inputs)
        if "maintenance" in told:
            return "maintenance"
        if "rollback" in told:
            return f"rollback to {told['rollback']['to']}"
        return "payment run" if "capitation" in told else "run"

    @property
    def begun(self) -> datetime:
        """When it began, as its id says."""
        return datetime.strptime(self.run_id.partition("Z")[0], RUN_ID_FORMAT).replace(tzinfo=UTC)


@dataclass(frozen=True)
class Maker:
    """By which run, rules and reference tables a policy's year was made."""

    run: Run
    policy: Policy
    reference: str | None
    """Fingerprint of all reference tables, and of each by its short name; runs of older versions have none of these."""
    tables: Mapping[str, str] = field(default_factory=dict)


def new_run_id(now: datetime | None = None) -> str:
    moment = now or datetime.now(UTC)
    return f"{moment:{RUN_ID_FORMAT}}Z-{uuid4().hex[:6]}"


class RunBook:
    """Reads and writes the book of one warehouse."""

    def __init__(self, spark: SparkSession, warehouse: Warehouse) -> None:
        self._spark = spark
        self._store = Store(spark, warehouse)
        newest = self._store.current_version(RUNS)
        if newest is not None:
            self._store.versions[RUNS.name] = newest
            self._store.contracts[RUNS.name] = UNKNOWN
        self._finished: list[Row] | None = None
        """The finished runs, the last one last: read once, until another is written."""

    def last_finished(self) -> Run | None:
        if not self._is_there():
            return None
        finished = self._store.read(RUNS).where(F.col("status") == "finished")
        rows = finished.orderBy(F.desc("run_id")).limit(1).collect()
        return _run(rows[0]) if rows else None

    def finished(self) -> list[Run]:
        """Every finished run, the last one last."""
        return [_run(row) for row in self._finished_rows()]

    def makers(self, table: Table, *, until: str | None = None) -> dict[tuple[str, int], Maker]:
        """The last run that made each policy and year of a table; with `until` as they stood when that run finished.

        A run is told with the versions that counted when it finished, or with newer ones of the same rows: those that
        maintenance, a rollback or a payment run left while nothing was computed.
        """
        found: dict[tuple[str, int], Maker] = {}
        computed = ""
        for row in self._standing():
            inputs = json.loads(row["inputs"])
            if inputs.keys() & {"maintenance", "rollback", "capitation"}:
                for at, maker in found.items():
                    if maker.run.run_id == computed:
                        found[at] = replace(maker, run=replace(maker.run, versions=dict(row["versions"])))
                continue
            if until is not None and row["run_id"] > until:
                break
            computed = row["run_id"]
            if all(receipt["table"] != table.name for receipt in row["receipts"]):
                continue
            settings = json.loads(row["settings"])
            for policy in map(policy_of_run, settings["policies"]):
                maker = Maker(_run(row), policy, inputs.get("reference"), inputs.get("reference_tables", {}))
                found |= {(policy.label, year): maker for year in settings["performance_years"]}
        return found

    def slices(self, sliced: Collection[str]) -> dict[tuple[str, int], str]:
        """The policies and years that stand in these tables, each with the content hash of its rules."""
        found: dict[tuple[str, int], str] = {}
        for row in self._runs_that_made(sliced):
            years = json.loads(row["settings"])["performance_years"]
            hashes = zip(row["policies"], row["policy_hashes"], strict=True)
            found |= {(label, year): content for label, content in hashes for year in years}
        return found

    def rules(self, sliced: Collection[str]) -> dict[tuple[str, int], Policy]:
        """The policies and years that stand in these tables, each with the rules that its rows were made by."""
        found: dict[tuple[str, int], Policy] = {}
        for row in self._runs_that_made(sliced):
            settings = json.loads(row["settings"])
            policies = [policy_of_run(said) for said in settings["policies"]]
            found |= {(policy.label, year): policy for policy in policies for year in settings["performance_years"]}
        return found

    def references(self, sliced: Collection[str]) -> dict[tuple[str, int], str | None]:
        """The same with the fingerprint of the reference tables that the rows were made by."""
        found: dict[tuple[str, int], str | None] = {}
        for row in self._runs_that_made(sliced):
            settings, fingerprint = json.loads(row["settings"]), json.loads(row["inputs"]).get("reference")
            labels = [policy_of_run(said).label for said in settings["policies"]]
            found |= {(label, year): fingerprint for label in labels for year in settings["performance_years"]}
        return found

    def made(self, now: Mapping[str, int] | None = None) -> dict[str, Receipt]:
        """The receipt that each table was last published with; `now` are the versions after an unfinished run was taken
        back, where one was.

        Versions are those that count now: maintenance, a rollback and what was taken back after a run that was cut off
        give the same rows other ones, of which there is no receipt.
        """
        found: dict[str, Receipt] = {}
        before: Mapping[str, int] = {}
        for row in self._standing():
            versions, written = dict(row["versions"]), {said["table"] for said in row["receipts"]}
            same_rows = {name: version for name, version in versions.items() if name not in written}
            found = {name: _moved(receipt, before, same_rows) for name, receipt in found.items()}
            for said in row["receipts"]:
                told = said.asDict()
                found[said["table"]] = Receipt(**{**told, "inputs": dict(told["inputs"] or {})})
            before = versions
        return found if now is None else {name: _moved(receipt, before, now) for name, receipt in found.items()}

    def recipes(self) -> dict[str, str]:
        """The recipe that each table was last published by; runs of older versions tell none."""
        found: dict[str, str] = {}
        for row in self._standing():
            told = json.loads(row["inputs"]).get("recipes", {})
            found |= {said["table"]: told.get(said["table"], "") for said in row["receipts"]}
        return found

    def _runs_that_made(self, tables: Collection[str]) -> list[Row]:
        """The finished runs that wrote one of the tables, or left it as it would come out, in their order."""

        def names(row: Row) -> set[str]:
            return {said["table"] for said in row["receipts"]} | set(json.loads(row["inputs"]).get("recipes", {}))

        return [row for row in self._standing() if names(row) & set(tables)]

    def _standing(self) -> list[Row]:
        """The finished runs that made what counts, in their order: after a rollback, those up to its run."""
        up_to: dict[str, list[Row]] = {}
        standing: list[Row] = []
        for row in self._finished_rows():
            back = json.loads(row["inputs"]).get("rollback")
            standing = [*(standing if back is None else up_to[back["to"]]), row]
            up_to[row["run_id"]] = standing
        return standing

    def _finished_rows(self) -> list[Row]:
        if self._finished is None:
            there = self._is_there()
            runs = self._store.read(RUNS).where(F.col("status") == "finished").orderBy("run_id") if there else None
            self._finished = runs.collect() if runs is not None else []
        return self._finished

    def is_clean(self) -> bool:
        """Whether the last run that started also ended: finished, or failed with everything restored."""
        if not self._is_there():
            return True
        ends = F.count_if(F.col("status") != "started").alias("ends")
        last = self._store.read(RUNS).groupBy("run_id").agg(ends).orderBy(F.desc("run_id")).limit(1).collect()
        return not last or last[0]["ends"] > 0

    def write(self, run_id: str, status: str, **told: Any) -> None:
        """Add one row. `finished` is the moment at which everything that the run wrote begins to count."""
        receipts: Sequence[Receipt] = told.get("receipts", ())
        row = {
            "run_id": run_id,
            "status": status,
            "at": datetime.now(UTC),
            "policies": list(told.get("policies", ())),
            "policy_hashes": list(told.get("policy_hashes", ())),
            "settings": told.get("settings", "{}"),
            "inputs": told.get("inputs", "{}"),
            "versions": dict(told.get("versions", {})),
            "contracts": dict(told.get("contracts", {})),
            "receipts": [asdict(receipt) for receipt in receipts],
            "notices": list(told.get("notices", ())),
        }
        if RUNS.name in self._store.contracts:
            bring_to_contract(self._store, RUNS)
        frame = small_frame(self._spark, [tuple(row[c.name] for c in RUNS.columns)], RUNS.schema)
        self._store.publish(RUNS, frame, append=True)
        if status == "finished":
            self._finished = None

    def _is_there(self) -> bool:
        return RUNS.name in self._store.versions


def _run(row: Row) -> Run:
    return Run(
        row["run_id"],
        dict(row["versions"]),
        dict(row["contracts"]),
        tuple(row["policies"]),
        row["settings"],
        tuple(row["notices"] or ()),
        tuple(row["policy_hashes"]),
        row["inputs"],
    )


def _moved(receipt: Receipt, before: Mapping[str, int], now: Mapping[str, int]) -> Receipt:
    """The receipt with the versions that hold now what those that counted before held."""

    def version(name: str, made: int) -> int:
        return now.get(name, made) if before.get(name) == made else made

    inputs = {name: version(name, made) for name, made in receipt.inputs.items()}
    return replace(receipt, version=version(receipt.table, receipt.version), inputs=inputs)


def restore_unfinished(store: Store, tables: Sequence[Table]) -> list[str]:
    """Bring every table that stands ahead of the last finished run back to its version; the names of those restored."""
    restored = []
    for table in tables:
        counted = store.versions.get(table.name)
        if counted is None:
            continue  # never finished: it is made anew at its first publication
        newest = store.current_version(table)
        if newest is not None and newest != counted:
            store.restore(table, counted)
            restored.append(table.name)
    return restored


def bring_back(book: RunBook, store: Store, tables: Sequence[Table]) -> None:
    """Take back what an unfinished run left, and say so."""
    if not book.is_clean():
        for name in restore_unfinished(store, tables):
            log.info("%s: brought back to the last finished run", name)


@contextmanager
def started(
    book: RunBook,
    store: Store,
    tables: Sequence[Table],
    run_id: str,
    before: Mapping[str, int],
    told: Mapping[str, Any],
) -> Iterator[None]:
    """A run at work: its row says started; where it fails, every table is back at `before`, and a row says failed.

    That it finished is for the caller to write, last of all.
    """
    RUN_ID.set(run_id)
    book.write(run_id, "started", **told)
    try:
        yield
    except BaseException as error:
        store.versions.update(before)
        restored = restore_unfinished(store, tables)
        if isinstance(error, Exception):
            book.write(run_id, "failed", **told)
        if restored:
            log.info("%s tables brought back to the last finished run", len(restored))
        raise


def contract_hashes(store: Store, tables: Sequence[Table]) -> dict[str, str]:
    """The hash of the contract that each table with a version was stored under."""
    stored = [table for table in tables if table.name in store.versions]
    return {table.name: store.contracts.get(table.name, contract_hash(table)) for table in stored}


def check_contracts(tables: Sequence[Table], contracts: Mapping[str, str]) -> None:
    """Refuse to read on where a table was stored under another contract.

    Raises:
        StageError: names the table.
    """
    for table in tables:
        if contracts.get(table.name, contract_hash(table)) != contract_hash(table):
            raise StageError(f"{table.name}: another version of pmpm made it; run `pmpm run` first")


@contextmanager
def locked(warehouse: Warehouse) -> Iterator[None]:
    """Hold the warehouse for one run. The operating system frees the lock when the process ends, however it ends.

    What several machines reach, a schema or an object store, has a lease besides (`lease.py`).

    Raises:
        BusyError: another run holds it.
        ConfigError: there can be no file.
    """
    path = _lock_path(warehouse)
    if path is None:
        yield
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("a+")
    except OSError as error:
        raise ConfigError(f"{path.parent}: not writable ({error.strerror}); choose another warehouse.path") from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BusyError(f"{path.parent}: another run is at work in this warehouse; wait for its end") from None
        yield


def _lock_path(warehouse: Warehouse) -> Path | None:
    if warehouse.path is None:
        from pmpm_spark.java import cache_dir

        name = hashlib.sha256(f"{warehouse.catalog}.{warehouse.schema}".encode()).hexdigest()[:16]
        return cache_dir() / "locks" / name
    return Path(plain(warehouse.path)).absolute() / ".lock" if is_local(warehouse.path) else None
