"""Generated files and loads that several tests begin with, made once in a process: half of a small run is its load.

What a load makes does not depend on policies, years or reference tables; the run after it makes anew what would come out
otherwise. A test has a warehouse of its own, a copy."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pyspark.sql import SparkSession

from pmpm_spark.config import RunConfig, Warehouse
from pmpm_spark.generate import generate
from pmpm_spark.pipeline import RunResult, run


@dataclass
class Loads:
    spark: SparkSession
    folder: Path
    loaded: dict[str, tuple[Path, RunResult]] = field(default_factory=dict)
    generated: dict[str, Path] = field(default_factory=dict)

    def begin(self, config: RunConfig, *, but: Sequence[str] = ()) -> RunResult:
        """Leave the warehouse of the configuration as after a load of its files, without the lists `but`; the load."""
        source = replace(config.source, **dict.fromkeys(but))
        if repr(source) not in self.loaded:
            place = self.folder / f"warehouse_{len(self.loaded)}"
            result = run(self.spark, replace(config, source=source, warehouse=Warehouse(str(place))), group="load")
            self.loaded[repr(source)] = place, result
        place, result = self.loaded[repr(source)]
        assert config.warehouse.path is not None
        shutil.copytree(place, config.warehouse.path, dirs_exist_ok=True)
        return result

    def files(self, members: int, years: tuple[int, ...], seed: int) -> Path:
        """Generated research files and the lists beside them, which nobody may change."""
        key = repr((members, years, seed))
        if key not in self.generated:
            self.generated[key] = self.folder / f"files_{len(self.generated)}"
            generate(self.spark, str(self.generated[key]), members=members, years=years, seed=seed)
        return self.generated[key]
