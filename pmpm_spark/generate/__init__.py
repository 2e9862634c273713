"""Generates claims, enrollment and the lists beside them as a payer delivers them, with every rule at work.

Everything is drawn from hashes of the seed (draws.py), so the same call gives the same rows on any engine and cluster.
What is true of the networks is in truth.py, what is planted and why in docs/generator.md.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pmpm_spark.at_once import each
from pmpm_spark.errors import InputError
from pmpm_spark.generate import contracts, enrollment, institutional, lists, professional, providers, stays, surveys
from pmpm_spark.generate.cclf import check_room, write_cclf
from pmpm_spark.generate.draws import Draws
from pmpm_spark.generate.people import member_years, people
from pmpm_spark.generate.rif import MARKS, must_be_empty, write_list, write_rif, write_table
from pmpm_spark.generate.synpuf import synpuf_files
from pmpm_spark.generate.tables import common_tables, tuva_tables
from pmpm_spark.paths import is_local, plain

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["FORMATS", "generate"]

log = logging.getLogger(__name__)

RIF, CCLF, TUVA, COMMON, SYNPUF = FORMATS = ("rif", "cclf", "tuva", "common", "synpuf")
MEMBERS_OF_A_FILE = 5_000
FILES_AT_ONCE = 10
TRUTH = "_truth"
"""The folder of what is true of each person and year; no source reads a name that begins with _."""
LATER = "_later"
"""The folder of what is delivered after the first payment run; a configuration names it, or passes it over."""
CHANGES = "_changes"
"""The folder of what that changes, by contract, member and month."""
SURVEYS = "_surveys"
"""The folder of the means that are planted in the surveys, by network and wave."""
PLANTED = "planted"
"""The folder of files of research format with people who show one rule each."""
STAYS, EPISODES = "_stays", "_episodes"
"""The folders of what is known of these people's stays in hospitals."""
STAGED = "_staged"
FIRST_YEAR, LAST_YEAR = 2016, 2100
"""Performance years that can be generated: codes and identifiers are those of these years."""


def generate(
    spark: SparkSession, out: str, *, members: int, years: tuple[int, int], seed: int, file_format: str = RIF
) -> None:
    """Write claims and enrollment in a format, and the lists beside them, for `members` people below the folder `out`.

    `years` are the first and last performance year; enrollment and claims begin a year earlier, so that two-year
    windows are told. All rows of a person are in one RIF file of each kind; every other format stands in the folder of
    its name, Tuva's and the common model's tables as Parquet.
    The same call with another format tells of the same people, claims and money.

    Raises:
        InputError: `out` has something in it, or there is nobody or no year to generate.
    """
    first, last = years
    if members < 1:
        raise InputError(f"members = {members}: at least 1")
    if not FIRST_YEAR <= first <= last <= LAST_YEAR:
        raise InputError(f"years {first}-{last}: the first and the last, from {FIRST_YEAR} to {LAST_YEAR}")
    must_be_empty(out)
    if file_format == CCLF:
        check_room(out, members=members, years=years)
    root = out.rstrip("/")
    draws = Draws(seed)
    files = -(-members // MEMBERS_OF_A_FILE)
    everybody = people(spark, draws, members=members, years=years, files=files)
    # written first and read back: each kind of file is made from it, and would make it anew
    truth = f"{root}/{TRUTH}"
    member_years(everybody, draws, members=members, years=years).write.parquet(truth)
    years_of_people = spark.read.parquet(truth)
    folder = f"{root}/{file_format}"
    if file_format == RIF:
        of_years = {
            f"beneficiary_{year}": enrollment.beneficiary_rows(years_of_people.where(F.col("year") == year), draws)
            for year in range(first - 1, last + 1)
        }
        rows = _claim_rows(years_of_people, draws, members=members)
        _write_all({**of_years, **rows}, partial(write_rif, files=files), root)
        planted = stays.planted_beneficiaries(spark, members=members, years=years)
        of_years = {
            f"beneficiary_{year}": planted.where(F.col("RFRNC_YR") == str(year)) for year in range(first - 1, last + 1)
        }
        rows = stays.planted_claims(spark, members=members, years=years)
        _write_all({**of_years, **rows}, partial(write_rif, files=1), f"{root}/{PLANTED}")
    elif file_format == CCLF:
        everybody_told = years_of_people.select("person", "member_id").distinct()
        everybody_told = everybody_told.unionByName(stays.planted_people(spark, members=members))
        enrolled = enrollment.beneficiary_rows(years_of_people, draws)
        enrolled, rows = _with_planted(
            enrolled, _claim_rows(years_of_people, draws, members=members), members=members, years=years
        )
        claims = {kind: of_kind.drop(*MARKS) for kind, of_kind in rows.items()}
        write_cclf(everybody_told, enrolled.drop(*MARKS), claims, folder, draws, years=years)
    else:
        _write_tables(years_of_people, draws, root, file_format, members=members, years=years)
    _write_all(
        {
            "network_roster": providers.network_roster(spark, members=members, years=years),
            "providers": providers.providers(spark, members=members),
            "risk_scores": lists.risk_scores(years_of_people, draws, years=years),
            "member_attribution": lists.member_attribution(years_of_people, draws, years=years),
            **contracts.contract_lists(spark, years_of_people, members=members, years=years),
            "survey_responses": surveys.survey_responses(
                spark, years_of_people, draws, members=members, years=years, files=files
            ),
        },
        partial(write_list, files=files),
        root,
    )
    write_list(surveys.planted(spark, years=years), f"{root}/{SURVEYS}")
    write_list(stays.known_stays(spark, members=members, years=years), f"{root}/{STAYS}")
    write_list(stays.known_episodes(spark, members=members, years=years), f"{root}/{EPISODES}")
    later = contracts.later_lists(spark, years_of_people, years=years)
    _write_all(later, partial(write_list, files=files), f"{root}/{LATER}")
    if file_format == RIF:
        rows_told = contracts.later_enrollment(years_of_people, draws, years=years)
        write_rif(rows_told, f"{root}/{LATER}/{RIF}", files=1)
    write_list(contracts.changes(years_of_people, years=years, has_enrollment=file_format == RIF), f"{root}/{CHANGES}")


def _write_tables(
    years_of_people: DataFrame,
    draws: Draws,
    root: str,
    file_format: str,
    *,
    members: int,
    years: tuple[int, int],
) -> None:
    """Tables, for some files of people after the other: what is made at a time is bounded, however many there are."""
    at_once = MEMBERS_OF_A_FILE * FILES_AT_ONCE
    for start in range(0, members, at_once):
        of_some = years_of_people.where(F.col("person").between(start, start + at_once - 1))
        save = partial(_saved, f"{root}/{STAGED}/{start}")
        files = -(-min(at_once, members - start) // MEMBERS_OF_A_FILE)
        write: Callable[[DataFrame, str], None] = partial(write_table, files=files, adds=start > 0)
        rows = _claim_rows(of_some, draws, members=members)
        enrolled = enrollment.beneficiary_rows(of_some, draws)
        if start == 0:
            enrolled, rows = _with_planted(enrolled, rows, members=members, years=years)
        tables = common_tables(enrolled, rows, save)
        if file_format != COMMON:  # made of these, each read more than once
            tables = {name: save(frame, name) for name, frame in tables.items()}
        if file_format == TUVA:
            tables = tuva_tables(tables, lists.member_attribution(of_some, draws, years=years))
        elif file_format == SYNPUF:
            tables = synpuf_files(tables, range(years[0] - 1, years[1] + 1))
            write = partial(write_list, adds=start > 0)
        _write_all(tables, write, f"{root}/{file_format}")
        log.info("generated %s of %s members", f"{min(start + at_once, members):,}", f"{members:,}")
        if is_local(root):
            shutil.rmtree(f"{plain(root)}/{STAGED}")


def _with_planted(
    enrolled: DataFrame, rows: dict[str, DataFrame], *, members: int, years: tuple[int, int]
) -> tuple[DataFrame, dict[str, DataFrame]]:
    """Beneficiary rows and claim rows with those of the people who show one rule each."""
    spark = enrolled.sparkSession
    planted = stays.planted_claims(spark, members=members, years=years)
    told = stays.planted_beneficiaries(spark, members=members, years=years)
    return enrolled.unionByName(told), {
        kind: of_kind.unionByName(planted[kind]) if kind in planted else of_kind for kind, of_kind in rows.items()
    }


def _saved(folder: str, frame: DataFrame, name: str) -> DataFrame:
    """The frame, written and read back."""
    frame.write.parquet(f"{folder}/{name}")
    return frame.sparkSession.read.parquet(f"{folder}/{name}")


def _write_all(frames: dict[str, DataFrame], write: Callable[[DataFrame, str], None], root: str) -> None:
    def written(name: str) -> str:
        write(frames[name], f"{root}/{name}")
        return name

    for name in each([partial(written, name) for name in frames]):
        log.info("generated %s", name)


def _claim_rows(member_years: DataFrame, draws: Draws, *, members: int) -> dict[str, DataFrame]:
    """The RIF rows of each kind of claim."""
    kinds: dict[str, Callable[[DataFrame, Draws], DataFrame]] = {
        "inpatient": institutional.inpatient_rows,
        "outpatient": institutional.outpatient_rows,
        "snf": institutional.snf_rows,
        "hha": institutional.hha_rows,
        "hospice": institutional.hospice_rows,
        "carrier": partial(professional.carrier_rows, members=members),
        "dme": professional.dme_rows,
        "pde": professional.pde_rows,
    }
    return {kind: rows(member_years, draws) for kind, rows in kinds.items()}
