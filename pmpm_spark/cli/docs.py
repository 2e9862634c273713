"""The data dictionary, the lineage diagram and the page on the common model as input, from contracts and stages."""

from __future__ import annotations

from pathlib import Path

from pmpm_spark.errors import ConfigError
from pmpm_spark.model import CLAIM_DIAGNOSES, CLAIM_LINES, CLAIM_PROCEDURES, COVERAGE_RECORDS, MEMBERS
from pmpm_spark.sources.common.layout import DEFAULTS
from pmpm_spark.sources.common.layout import TABLES as INPUT_TABLES
from pmpm_spark.sources.kinds import SOURCE_KINDS
from pmpm_spark.stages import ALL_TABLES, stages_of
from pmpm_spark.table import Table

DICTIONARY_FILE = "data-dictionary.md"
LINEAGE_FILE = "lineage.md"
COMMON_MODEL_FILE = "common-model.md"
_COMMON_MODEL_HEAD = """# The common model as input

Made from the contracts by `pmpm tables --write docs`. With `source.kind = "common"` a payer writes these tables itself,
below `source.path`, as comma-separated files with a heading (`claim_lines.csv`, or a folder `claim_lines` of them), or
with `source.format` as `"parquet"`, `"delta"` or `"catalog"` (`source.path` is then `catalog.schema`, or a schema).
Columns may stand in any order; any that is not in bold may be left out, and so may a table that is not in bold. Dates
are written 2021-07-31 (a day before 1850 is none), amounts 1234.56, true and false as words, a list in one cell with
`;` between its elements. An amount with more than two decimals is rounded half up to the cent, on each line by itself.
A payer without Part A and B takes `policy = "commercial"`, or a policy of its own with `part_a_b = "none"`.

A table is what it is now: where its files have changed, all of it replaces what was read of it before. A claim_id
stands for one claim, of one member and one claim_type. Of its versions the newest counts (latest `effective_on`, then
`paid_on`, then highest `claim_version`); or a version under an id of its own names in `cancels_claim_id` the one that
it removes.

Months are told from the first to the latest day that `coverage_records` name; months outside are no member months. A
record without a `coverage_end` is open and names only its first day. Where records are open, set `source.data_through`
to the last day that the tables tell, as `data_through = 2021-12-31`: months are told up to it. A record without
`plan_id` is of its payer's plan; of records with one member, first day, plan and `recorded_on` one counts."""
WIDE = 60
"""Tables with more columns than this (bronze, as delivered) are described, not listed."""


def dictionary() -> str:
    """Every table with its grain, key, rules and columns."""
    heading = "# Data dictionary\n\nMade from the contracts by `pmpm tables --write docs`. Money is US dollars.\n"
    return heading + "\n" + "\n".join(_table(table) for table in ALL_TABLES)


def dictionary_of(name: str) -> str:
    """One table of the dictionary.

    Raises:
        ConfigError: there is no such table.
    """
    for table in ALL_TABLES:
        if name in (table.name, table.short_name):
            return _table(table)
    raise ConfigError(f"tables: no table {name}")


def _table(table: Table) -> str:
    lines = [f"## {table.name}", "", f"{table.grain[0].upper()}{table.grain[1:]}. Key: {', '.join(table.key)}."]
    layout = [f"Partitioned by {', '.join(table.partition_by)}."] if table.partition_by else []
    layout += [f"Clustered by {', '.join(table.cluster_by)}."] if table.cluster_by else []
    lines += layout
    columns = table.columns
    if len(columns) > WIDE and table.layer == "bronze":
        delivered = [c for c in columns if not c.name.startswith("_")]
        columns = tuple(c for c in columns if c.name.startswith("_"))
        lines += ["", f"{len(delivered)} columns as delivered, all text, and:"]
    lines += ["", "| column | type | meaning |", "| --- | --- | --- |"]
    lines += [f"| {c.name} | {_type(c.type.simpleString())} | {c.meaning} |" for c in columns]
    if table.rules:
        lines += ["", "Rules: " + "; ".join(f"`{name}`: {rule}" for name, rule in table.rules.items()) + "."]
    return "\n".join(lines) + "\n"


def _type(simple: str) -> str:
    return simple if len(simple) <= 40 else simple.split("<")[0] + "<...>"


def lineage() -> str:
    """Which table is made from which, as a diagram."""
    lines = ["# Lineage", "", "Made from the stages by `pmpm tables --write docs`.", "", "```mermaid", "flowchart LR"]
    layers: dict[str, list[Table]] = {}
    for table in ALL_TABLES:
        layers.setdefault(table.layer, []).append(table)
    for layer, tables in layers.items():
        lines.append(f"  subgraph {layer}")
        lines += [f"    {_node(table)}[{table.short_name}]" for table in tables]
        lines.append("  end")
    stages = [stage for kind in SOURCE_KINDS for stage in stages_of(kind)]
    lines += dict.fromkeys(f"  {_node(given)} --> {_node(stage.output)}" for stage in stages for given in stage.reads)
    return "\n".join([*lines, "```", ""])


def common_model() -> str:
    """The tables that `source.kind = "common"` reads, column by column."""
    meanings = {
        f"{table.short_name}.{c.name}": (c.type, c.meaning)
        for table in (MEMBERS, COVERAGE_RECORDS, CLAIM_LINES, CLAIM_DIAGNOSES, CLAIM_PROCEDURES)
        for c in table.columns
    }
    lines = [_COMMON_MODEL_HEAD]
    for table in INPUT_TABLES:
        name = f"**{table.name}**" if table.is_needed else table.name
        lines += [
            "",
            f"## {name}",
            "",
            "| column | type | meaning | where it is not told |",
            "| --- | --- | --- | --- |",
        ]
        for column in table.columns:
            kind, meaning = meanings[f"{table.name}.{column}"]
            shown = f"**{column}**" if column in table.required else column
            default = DEFAULTS.get(f"{table.name}.{column}", "a reject" if column in table.required else "null")
            lines.append(f"| {shown} | {_type(kind.simpleString())} | {meaning} | {default} |")
    return "\n".join(lines) + "\n"


def _node(table: Table) -> str:
    return table.name.replace(".", "_")


def _files() -> dict[str, str]:
    return {DICTIONARY_FILE: dictionary(), LINEAGE_FILE: lineage(), COMMON_MODEL_FILE: common_model()}


def write_files(folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in _files().items():
        (folder / name).write_text(content, encoding="utf-8")
        written.append(folder / name)
    return written


def stale_files(folder: Path) -> list[Path]:
    """Files whose content is not what the contracts and stages say now."""
    stale = []
    for name, content in _files().items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != content:
            stale.append(path)
    return stale
