"""Contracts of the tables of risk adjustment by hierarchical condition categories (CMS-HCC), by model and payment year.

`*` in a cell means none, or any. Where each file comes from: SOURCES.md.
"""

from __future__ import annotations

from pmpm_spark.table import FACTOR, SCORE, Table, column, text, year

_SOURCE = text("source", "document it comes from")
_MODEL = text("model", "model, as V24 or ESRD V24")
_YEARS = (year("first_year", "first payment year"), year("last_year", "last payment year"))

HCC_MAPPINGS = Table(
    name="reference.hcc_mappings",
    grain="one row per model, diagnosis code, category and first payment year",
    key=("model", "diagnosis_code", "hcc", "first_year"),
    columns=(
        _MODEL,
        text("diagnosis_code", "ICD-10-CM code without a dot"),
        text("hcc", "condition category"),
        *_YEARS,
        _SOURCE,
    ),
)
HCC_EDITS = Table(
    name="reference.hcc_edits",
    grain="one row per model, diagnosis code, sex and lowest age: whose diagnosis maps otherwise",
    key=("model", "diagnosis_code", "sex", "age_from"),
    columns=(
        _MODEL,
        text("diagnosis_code", "ICD-10-CM code without a dot"),
        text("sex", "F, M or *"),
        year("age_from", "lowest age that the edit applies to"),
        year("age_to", "highest age that the edit applies to"),
        text("hcc", "category in place of the mapping's; * for none"),
        text("kind", "mandatory, or mce: an age that the Medicare Code Editor takes for impossible"),
        _SOURCE,
    ),
)
HCC_HIERARCHIES = Table(
    name="reference.hcc_hierarchies",
    grain="one row per model, category and category that it drops",
    key=("model", "hcc", "dropped_hcc"),
    columns=(
        _MODEL,
        text("hcc", "the more severe category"),
        text("dropped_hcc", "category that does not count beside it"),
        _SOURCE,
    ),
)
HCC_INTERACTIONS = Table(
    name="reference.hcc_interactions",
    grain="one row per model and interaction",
    key=("model", "variable"),
    columns=(
        _MODEL,
        text("variable", "name of the interaction"),
        text("who", "disabled, nonaged, or * for anybody"),
        text("hccs", "categories of which one is there, with blanks between them"),
        text("with_hccs", "categories of which one is there too; *"),
        _SOURCE,
    ),
)
HCC_COEFFICIENTS = Table(
    name="reference.hcc_coefficients",
    grain="one row per model, segment, variable and first payment year",
    key=("model", "segment", "variable", "first_year"),
    columns=(
        _MODEL,
        text("segment", "CMS's prefix, as CNA: community, non-dual, aged; * of all"),
        text("variable", "age and sex cell, category, interaction or count, in capitals"),
        column("coefficient", SCORE, "what the variable adds to the score"),
        *_YEARS,
        _SOURCE,
    ),
)
HCC_AGE_CELLS = Table(
    name="reference.hcc_age_cells",
    grain="one row per model, kind of cells and lowest age",
    key=("model", "cells", "age_from"),
    columns=(
        _MODEL,
        text("cells", "standard, or those of new enrollees"),
        year("age_from", "lowest age"),
        year("age_to", "highest age"),
        text("cell", "the ages, as in the variable's name"),
        _SOURCE,
    ),
)
HCC_PROCEDURES = Table(
    name="reference.hcc_procedures",
    grain="one row per procedure code and first year of service",
    key=("hcpcs", "first_year"),
    columns=(
        text("hcpcs", "CPT or HCPCS code of a service whose diagnoses count"),
        year("first_year", "first year of service"),
        year("last_year", "last year of service"),
        _SOURCE,
    ),
)
HCC_BILL_TYPES = Table(
    name="reference.hcc_bill_types",
    grain="one row per claim type, type of bill and first year of service",
    key=("claim_type", "bill_type", "first_year"),
    columns=(
        text("claim_type", "type of claim whose diagnoses count"),
        text("bill_type", "facility type and classification, two characters; *"),
        text("asks_for_procedure", "yes: a line must carry a procedure of hcc_procedures; no"),
        year("first_year", "first year of service"),
        year("last_year", "last year of service"),
        _SOURCE,
    ),
)
HCC_NORMALIZATION = Table(
    name="reference.hcc_normalization",
    grain="one row per model, part and payment year",
    key=("model", "part", "payment_year"),
    columns=(
        _MODEL,
        text("part", "dialysis, graft, or * of all"),
        year("payment_year", "payment year"),
        column("normalization_factor", FACTOR, "CMS's divisor of raw scores"),
        column("coding_intensity", SCORE, "share by which CMS lowers the scores of Medicare Advantage"),
        _SOURCE,
    ),
    rules={"factor_is_positive": "normalization_factor > 0"},
)
HCC_BLENDS = Table(
    name="reference.hcc_blends",
    grain="one row per payment year, part of the population and model",
    key=("payment_year", "part", "model"),
    columns=(
        year("payment_year", "payment year"),
        text("part", "aged_disabled or esrd"),
        _MODEL,
        column("share", SCORE, "weight of the model's score"),
        _SOURCE,
    ),
)
HCC_TABLES = (
    HCC_MAPPINGS,
    HCC_EDITS,
    HCC_HIERARCHIES,
    HCC_INTERACTIONS,
    HCC_COEFFICIENTS,
    HCC_AGE_CELLS,
    HCC_PROCEDURES,
    HCC_BILL_TYPES,
    HCC_NORMALIZATION,
    HCC_BLENDS,
)
