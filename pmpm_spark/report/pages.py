"""The pages of the report in their order, made of what may leave the warehouse and of nothing else."""

from __future__ import annotations

from pmpm_spark.report.about import About, Year
from pmpm_spark.report.contracts import contracts
from pmpm_spark.report.method import method
from pmpm_spark.report.network import network
from pmpm_spark.report.networks import networks
from pmpm_spark.report.quality import quality
from pmpm_spark.report.summary import summary
from pmpm_spark.report.views import Page
from pmpm_spark.report.words import GLOSSARY


def pages(year: Year, about: About) -> list[Page]:
    return [
        summary(year),
        networks(year),
        *[network(year, row, place) for place, row in enumerate(year.networks())],
        *contracts(year),
        Page("compare", "Compare two", "Any two networks of the year, side by side.", kind="compare"),
        quality(year, about),
        method(year, about),
        Page("glossary", "Glossary", "The terms of this report, for whom PMPM is new.", parts=(GLOSSARY,)),
    ]
