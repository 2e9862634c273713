"""What the members and physicians of a network say in surveys: each wave, what changed, and the physicians apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pmpm_spark.gold.experience_scores import NETWORK, PHYSICIAN
from pmpm_spark.model.survey_responses import MEMBER, PROVIDER
from pmpm_spark.report.about import NO_FIGURE, Row, Year, listed, number, or_dash
from pmpm_spark.report.charts import Series, lines
from pmpm_spark.report.views import ChartView, Column, TableView
from pmpm_spark.silver.attribution import UNATTRIBUTED
from pmpm_spark.small_cells import LEFT_OUT

SOURCE = "gold.experience_scores"
WHO = {MEMBER: "Members", PROVIDER: "Physicians"}
MOST_CHARTS = 4
ASKED = ("respondent", "survey", "domain")
NOTE = (
    "Scores are means on 0 (worst) to 100 (best), with 95% intervals; one respondent, or answers that are all equal, have none. "
    "A change is from the wave before, as if no one had answered both."
)


def experience(year: Year, row: Row, name: str) -> list[Any]:
    """Nothing where no one of the network was asked in the year."""
    everything = [
        r for r in year.of_network("experience_scores", row["network_id"]) if r["performance_year"] <= year.year
    ]
    if not any(r["performance_year"] == year.year for r in everything):
        return []
    own = sorted((r for r in everything if r["level"] == NETWORK), key=_place)
    return [
        "What members and physicians say",
        *_charts(own, name),
        _waves(own, _others(year, row["network_id"]), name),
        *_physicians(year, row, name),
    ]


def _place(row: Row) -> tuple[Any, ...]:
    return (*(row[asked] for asked in ASKED), row["wave"], row["performance_year"])


def _charts(own: Sequence[Row], name: str) -> list[ChartView]:
    """A line for each question that is told in two waves and more."""
    by_question: dict[tuple[Any, ...], list[Row]] = {}
    for r in own:
        by_question.setdefault(tuple(r[asked] for asked in ASKED), []).append(r)
    drawn: list[ChartView] = []
    for (respondent, survey, domain), waves in by_question.items():
        if sum(not r[LEFT_OUT] for r in waves) < 2 or len(drawn) == MOST_CHARTS:
            continue
        labels = [str(r["wave"]) for r in waves]
        scores, low, high = (
            [number(r[column]) for r in waves] for column in ("mean_score", "mean_score_low", "mean_score_high")
        )
        said = f"{WHO[respondent]}, {survey}: {domain}, by wave"
        series = [Series("95% interval", side, kind="limit") for side in (low, high)] + [Series("mean score", scores)]
        words = listed(labels, scores, is_money=False)
        svg = lines(f"{name}-experience-{len(drawn) + 1}", said, words, labels, series, _points)
        legend = (("own", "mean score"), ("limit", "95% interval"))
        drawn.append(ChartView(svg, said, (f"{SOURCE}.mean_score, mean_score_low, mean_score_high",), legend))
    return drawn


def _points(value: float) -> str:
    return f"{value:,.1f}".replace("-", "−")


def _others(year: Year, network_id: str) -> dict[tuple[Any, ...], float]:
    """The mean of all other networks' respondents, of those that are told, by question and wave."""
    sums: dict[tuple[Any, ...], list[float]] = {}
    for network in year.other_networks(network_id):
        for r in year.of_network("experience_scores", network["network_id"]):
            if r["level"] == NETWORK and not r[LEFT_OUT]:
                total = sums.setdefault(_place(r), [0.0, 0.0])
                total[0] += r["mean_score"] * r["respondents"]
                total[1] += r["respondents"]
    return {place: score / people for place, (score, people) in sums.items()}


def _waves(own: Sequence[Row], others: dict[tuple[Any, ...], float], name: str) -> TableView:
    named = (
        Column("Who", "text", f"{SOURCE}.respondent"),
        Column("Survey", "text", f"{SOURCE}.survey"),
        Column("About", "text", f"{SOURCE}.domain"),
        Column("Wave", "text", f"{SOURCE}.wave"),
        Column("Respondents", "count", f"{SOURCE}.respondents"),
        Column("Score", "rate", f"{SOURCE}.mean_score"),
        Column("From", "rate", f"{SOURCE}.mean_score_low"),
        Column("To", "rate", f"{SOURCE}.mean_score_high"),
        Column("Other networks", "rate", f"{SOURCE}, mean_score by respondents of the other networks told"),
        Column("Change", "rate", f"{SOURCE}.change"),
        Column("From", "rate", f"{SOURCE}.change_low"),
        Column("To", "rate", f"{SOURCE}.change_high"),
    )
    rows = [
        (WHO[r["respondent"]], r["survey"], r["domain"], r["wave"], *_figures(r, others.get(_place(r), NO_FIGURE)))
        for r in own
    ]
    left_out = sum(r[LEFT_OUT] for r in own)
    note = f"{NOTE} {left_out} of {len(own)} rows are left out as small." if left_out else NOTE
    return TableView(f"{name}-experience", "By wave", named, rows, note, is_wide=True)


def _figures(row: Row, others: Any) -> tuple[Any, ...]:
    """Of a row that is told: what cannot be said is a dash, what would give others away is left out."""
    if row[LEFT_OUT]:
        return (None, None, None, None, others, None, None, None)
    score = (row["respondents"], row["mean_score"], or_dash(row["mean_score_low"]), or_dash(row["mean_score_high"]))
    if row["prior_wave"] is None:
        change: tuple[Any, ...] = (NO_FIGURE,) * 3
    elif row["change"] is None:
        change = (None,) * 3
    else:
        change = (row["change"], or_dash(row["change_low"]), or_dash(row["change_high"]))
    return (*score, others, *change)


def _physicians(year: Year, row: Row, name: str) -> list[TableView]:
    """What the members of each physician say, of the last wave of the year."""
    everything = [r for r in year.this_year("experience_scores", row["network_id"]) if r["level"] == PHYSICIAN]
    last: dict[tuple[Any, ...], str] = {}
    for r in everything:
        asked = tuple(r[n] for n in ASKED)
        last[asked] = max(last.get(asked, ""), r["wave"])
    newest = [r for r in everything if r["wave"] == last[tuple(r[n] for n in ASKED)]]
    told = sorted(
        (r for r in newest if not r[LEFT_OUT]), key=lambda r: (*_place(r), -r["mean_score"], r["physician_npi"])
    )
    if not told:
        return []
    names = {r["physician_npi"]: r["physician_name"] for r in year.this_year("physician_pmpm", row["network_id"])}
    named = (
        Column("Physician", "text", f"{SOURCE}.physician_npi, gold.physician_pmpm.physician_name"),
        Column("About", "text", f"{SOURCE}.survey, domain"),
        Column("Wave", "text", f"{SOURCE}.wave"),
        Column("Respondents", "count", f"{SOURCE}.respondents"),
        Column("Score", "rate", f"{SOURCE}.mean_score"),
        Column("From", "rate", f"{SOURCE}.mean_score_low"),
        Column("To", "rate", f"{SOURCE}.mean_score_high"),
    )
    rows = [
        (
            "No physician"
            if r["physician_npi"] == UNATTRIBUTED
            else names.get(r["physician_npi"]) or r["physician_npi"],
            f"{r['survey']}: {r['domain']}",
            r["wave"],
            r["respondents"],
            r["mean_score"],
            or_dash(r["mean_score_low"]),
            or_dash(r["mean_score_high"]),
        )
        for r in told
    ]
    note = f"{len(newest) - len(told)} of {len(newest)} rows are left out as small." if len(told) < len(newest) else ""
    return [
        TableView(
            f"{name}-experience-physicians", "Members by their physician, last wave", named, rows, note, is_wide=True
        )
    ]
