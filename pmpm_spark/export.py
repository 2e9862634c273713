"""Gold tables as files for others: CSV and Parquet without small cells, and a manifest that says what they are."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql import types as T

from pmpm_spark.cell_relations import SHOWN
from pmpm_spark.errors import ConfigError, SetupError
from pmpm_spark.formulas import harmless
from pmpm_spark.small_cells import LEFT_OUT, Shareable
from pmpm_spark.table import Column, Table, flag
from pmpm_spark.version import __version__

if TYPE_CHECKING:
    import pyarrow

FORMATS = CSV, PARQUET = ("csv", "parquet")
MANIFEST = "manifest.json"
LEFT_OUT_COLUMN = flag(LEFT_OUT, "the figures of the row are left out: they, or what they would give away, tell of few")


def export(
    found: Shareable,
    folder: Path,
    *,
    run_id: str,
    engine: str,
    policy_hashes: Mapping[tuple[str, int], str],
    formats: Sequence[str] = FORMATS,
) -> Path:
    """Write the tables and then the manifest, whose path is returned; the same run gives the same bytes.

    Raises:
        ConfigError: the folder cannot be written.
        SetupError: Parquet is asked for and pyarrow is not installed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tables = [_exported(one.table, found, folder, formats) for one in SHOWN if one.name in found.tables]
        told = {
            "run_id": run_id,
            "engine": engine,
            "written_by": f"pmpm-spark {__version__}",
            "policies": [
                {"policy": policy, "performance_year": year, "content_hash": content}
                for (policy, year), content in sorted(policy_hashes.items())
            ],
            "tables": tables,
        }
        (folder / MANIFEST).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{folder}: not writable ({error.strerror}); choose another --out") from None
    return folder / MANIFEST


def _exported(table: Table, found: Shareable, folder: Path, formats: Sequence[str]) -> dict[str, Any]:
    columns, rows = (*table.columns, LEFT_OUT_COLUMN), found.tables[table.short_name]
    files = []
    for form in formats:
        content = as_csv(columns, rows) if form == CSV else as_parquet(columns, rows)
        path = folder / f"{table.short_name}.{form}"
        path.write_bytes(content)
        files.append({"file": path.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()})
    return {
        "table": table.name,
        "grain": table.grain,
        "rows": len(rows),
        "rows_left_out": found.rows_left_out[table.short_name],
        "figures_left_out": found.figures_left_out[table.short_name],
        "columns": [{"name": c.name, "type": c.type.simpleString(), "meaning": c.meaning} for c in columns],
        "files": files,
    }


def as_csv(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Comma-separated with a heading; what is not told is empty, and no text is a spreadsheet's formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([column.name for column in columns])
    for row in rows:
        writer.writerow([_as_text(row[column.name]) for column in columns])
    return out.getvalue().encode("utf-8")


def _as_text(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date) else harmless(value)


def as_parquet(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The same in the contract's types; text stands as it is."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise SetupError("export: Parquet needs pyarrow: pip install pyarrow, or choose --format csv") from None
    fields = [pyarrow.field(c.name, _arrow_type(c.type), metadata={"meaning": c.meaning}) for c in columns]
    schema = pyarrow.schema(fields)
    arrays = [pyarrow.array([row[field.name] for row in rows], type=field.type) for field in schema]
    out = io.BytesIO()
    parquet.write_table(pyarrow.table(arrays, schema=schema), out)
    return out.getvalue()


def _arrow_type(data_type: T.DataType) -> pyarrow.DataType:
    import pyarrow

    if isinstance(data_type, T.DecimalType):
        return pyarrow.decimal128(data_type.precision, data_type.scale)
    if isinstance(data_type, T.ArrayType):
        return pyarrow.list_(_arrow_type(data_type.elementType))
    simple = {"bigint": "int64", "int": "int32", "double": "float64", "boolean": "bool", "date": "date32"}
    name = data_type.simpleString()
    return pyarrow.type_for_alias(simple.get(name, name))
