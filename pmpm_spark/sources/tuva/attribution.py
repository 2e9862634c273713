"""Rows of provider_attribution (one a person and month) to member attribution.

The organization is the network, the practice the practice's tax number, the provider the physician. Where the payer's
columns name no organization, the custom ones count. A row that names none attributes nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.model import MEMBER_ATTRIBUTION
from pmpm_spark.sources.cells import YEAR, TypedRow
from pmpm_spark.sources.lists import List, months_of_year
from pmpm_spark.sources.tuva.layout import ATTRIBUTION_COLUMNS, ATTRIBUTION_REQUIRED

if TYPE_CHECKING:
    from pyspark.sql import Column

_MONTH = f"^{YEAR}(0[1-9]|1[0-2])$"
_NOBODY = ""


def _typed(row: TypedRow) -> dict[str, Column]:
    row.required("year_month")
    told = F.replace(row.told("year_month"), F.lit("-"), F.lit(""))
    row.must(told.rlike(_MONTH), "year_month is not YYYYMM")
    month = F.when(told.rlike(_MONTH), F.to_date(F.concat(told, F.lit("01")), "yyyyMMdd"))
    year = F.year(month)
    is_payers = row.told("payer_attributed_provider_organization").isNotNull()

    def provider(part: str) -> Column:
        named = F.when(is_payers, row.told(f"payer_{part}")).otherwise(row.told(f"custom_{part}"))
        return F.coalesce(named, F.lit(_NOBODY))

    return {
        "performance_year": year,
        "months": months_of_year(year, month, month),
        "member_id": row.required("person_id"),
        "network_id": provider("attributed_provider_organization"),
        "file_date": row.iso_day("file_date"),
        "start_date": month,
        "end_date": F.last_day(month),
        "physician_npi": provider("attributed_provider"),
        "practice_tin": provider("attributed_provider_practice"),
    }


PROVIDER_ATTRIBUTION = List(
    "tuva_provider_attribution",
    MEMBER_ATTRIBUTION,
    ATTRIBUTION_REQUIRED,
    tuple(name for name in ATTRIBUTION_COLUMNS if name not in ATTRIBUTION_REQUIRED),
    _typed,
    restates=("performance_year", "network_id"),
)
