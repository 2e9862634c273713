"""Cut a few people and deliveries out of the shared CCLF deliveries: `python -m tests.data.cut_cclf SHARED_DATA`.

Whose ids changed, whose claims were replaced across the change, who died late, and some others; the last deliveries of
2023 and the run-out ones. Each delivery stays whole: CCLF0 counts what is left.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

from tests.cclf_files import KINDS, control, fields, length

HERE = Path(__file__).parent / "cclf"
DAYS = ("D231115", "D231215", "D240115", "D240215", "D240315")
OTHERS = 12
"""People without a change of id."""


def cut(shared: Path) -> None:
    deliveries = [path for path in sorted((shared / "cclf").glob("P.*")) if path.name.split(".")[4] in DAYS]
    records = {path.name: _records(path) for path in deliveries}
    people = _people(records)
    HERE.mkdir(exist_ok=True)
    for path in deliveries:
        kept = {
            kind: [line for line in lines if _ids(kind, line) & people] for kind, lines in records[path.name].items()
        }
        with zipfile.ZipFile(HERE / path.name, "w", zipfile.ZIP_DEFLATED) as archive:
            for kind in KINDS:
                text = control(kept) if kind == "CCLF0" else "".join(f"{line}\n" for line in kept[kind])
                entry = zipfile.ZipInfo(path.name.replace(".ZC", f".ZC{kind[-1]}"), (2024, 1, 1, 0, 0, 0))
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, text)


def _records(path: Path) -> dict[str, list[str]]:
    with zipfile.ZipFile(path) as archive:
        told = {f"CCLF{name.split('.ZC')[1][0]}": archive.read(name).decode("ascii") for name in archive.namelist()}
    return {kind: [line for line in text.split("\n") if line] for kind, text in told.items() if kind != "CCLF0"}


def _people(records: dict[str, dict[str, list[str]]]) -> set[str]:
    """Ids: every changed one, and of those with most cancels the first."""
    changed, cancels = set(), {}
    for of in records.values():
        for line in of["CCLF9"]:
            changed |= _ids("CCLF9", line)
        for kind in ("CCLF1", "CCLF5", "CCLF6", "CCLF7"):
            start, end = next((a, b) for name, a, b, _ in fields(kind) if name == "CLM_ADJSMT_TYPE_CD")
            for line in of[kind]:
                if line[start:end].strip() != "0":
                    (who,) = _ids(kind, line)
                    cancels[who] = cancels.get(who, 0) + 1
    most = sorted(cancels, key=lambda who: (-cancels[who], who))
    return changed | set([who for who in most if who not in changed][:OTHERS])


def _ids(kind: str, line: str) -> set[str]:
    assert len(line) == length(kind)
    names = ("CRNT_NUM", "PRVS_NUM") if kind == "CCLF9" else ("BENE_MBI_ID",)
    return {line[start:end].strip() for name, start, end, _ in fields(kind) if name in names}


if __name__ == "__main__":
    cut(Path(sys.argv[1]))
