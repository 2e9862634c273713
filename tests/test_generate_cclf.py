"""Generated CCLF deliveries: the same truth as the RIF files, as CMS delivers it, with its irregularities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pmpm_spark.config import RunConfig, Source, Warehouse
from pmpm_spark.generate import generate
from pmpm_spark.pipeline import run
from pmpm_spark.policy import Attribution, Cost, Eligibility, Policy
from tests.equality import FIGURES, KEYS, LISTS, Compared, is_equal

MEMBERS, YEARS, SEED = 200, (2020, 2021), 7
CURRENT = Eligibility(part_a_b="current_month")
POLICIES = (
    Policy("plurality", CURRENT),
    Policy("list", CURRENT, Cost(claim_month="from"), Attribution(method="roster")),
)


@pytest.fixture(scope="module")
def generated(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    roots = {name: tmp_path_factory.mktemp("generated") / name for name in ("rif", "cclf")}
    for name, root in roots.items():
        generate(spark, str(root), members=MEMBERS, years=YEARS, seed=SEED, file_format=name)
    return roots


@pytest.fixture(scope="module")
def published(
    spark: SparkSession, generated: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Compared]:
    found = {}
    for name, root in generated.items():
        lists = {of: str(root / of) for of in LISTS}
        path = root / "cclf" if name == "cclf" else root
        # a delivery of few claims has more than one cancel of nothing in twenty
        source = Source(name, str(path), max_reject_share=1.0, **lists)
        config = RunConfig(source, Warehouse(str(tmp_path_factory.mktemp(name))), YEARS, POLICIES)
        found[name] = Compared(config, run(spark, config), None)
    return found


@pytest.mark.parametrize("policy", POLICIES, ids=lambda p: p.name)
@pytest.mark.parametrize("name", [n for n in KEYS if n != "excluded"])
def test_both_formats_give_the_same(name: str, policy: Policy, published: dict[str, Compared]) -> None:
    def by_key(of: Compared) -> dict[tuple[Any, ...], dict[str, Any]]:
        return {tuple(row[k] for k in KEYS[name]): row for row in of.of_policy(name, policy)}

    rif, cclf = by_key(published["rif"]), by_key(published["cclf"])
    print(name, len(rif), len(cclf))
    faults = [f"only RIF {k} {rif[k]}" for k in sorted(rif.keys() - cclf.keys(), key=str)]
    faults += [f"only CCLF {k} {cclf[k]}" for k in sorted(cclf.keys() - rif.keys(), key=str)]
    for at in rif.keys() & cclf.keys():
        for figure in FIGURES[name]:
            if not is_equal(rif[at][figure], cclf[at][figure]):
                faults.append(f"{at}: {figure} RIF {rif[at][figure]} CCLF {cclf[at][figure]}")
    assert not faults, f"{len(faults)} in {len(rif)}\n" + "\n".join(faults[:15])
