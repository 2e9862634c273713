"""The months to come of each network, and how wrong the same method was of months held back."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date
from decimal import Decimal

import pytest

from pmpm_spark.gold.network_pmpm_by_month import NETWORK_PMPM_BY_MONTH
from pmpm_spark.gold.pmpm_forecast import PMPM_FORECAST, STUDENT_95, pmpm_forecast
from pmpm_spark.policy import Policy
from pmpm_spark.table import conform
from tests.tables import frame

FIRST = 2019 * 12
"""January 2019."""


def month(number: int) -> date:
    return date(number // 12, number % 12 + 1, 1)


def forecast(spark, told: dict[tuple[str, str, int], tuple[int, float]], runout: dict[str, int | None]):
    """Rows by policy, network and month, from member months and completed PMPM; `runout`: of a policy's last month."""
    last = {policy: max(at for name, _, at in told if name == policy) for policy in runout}
    names = [c.name for c in NETWORK_PMPM_BY_MONTH.columns]
    values = []
    for (policy, network, at), (exposure, pmpm) in told.items():
        ends = runout[policy]
        row = {
            "policy": policy, "network_id": network, "member_month": month(at), "performance_year": at // 12,
            "member_months": Decimal(exposure), "completed_amount": Decimal(f"{exposure * pmpm:.2f}"),
            "runout_months": None if ends is None else ends + last[policy] - at,
        }  # fmt: skip
        values.append(tuple(row.get(name) for name in names))
    schema = frame(spark, NETWORK_PMPM_BY_MONTH, "policy").schema
    rows = pmpm_forecast(
        spark.createDataFrame(values, schema),
        policies=[Policy(name) for name in runout],
        performance_years=range(2019, 2030),
    )
    built = conform(rows, PMPM_FORECAST).collect()
    found = {(row["policy"], row["network_id"], row["member_month"]): row for row in built}
    assert len(found) == len(built)
    return found


def test_level_season_and_damped_growth_by_hand_and_nothing_from_less_than_two_years(spark):
    """24 months of `grown`: 100 a member month, then 120, of 24,000 member months a year, so that its growth of 20% is
    all its own. January comes 1 month after the last one, which is 5.5 after the middle of the level: damped 5.5 + 0.9.
    Within a year nothing moves: January's season is 1 but for the growth taken out of it, which a year's first month is
    5.5 months behind: 1 / (1 - 0.2 x 5.5 / 12). No month can be held back. Of `short` 23 months are old enough."""
    told = {("grown", "A", FIRST + at): (2000, 100 if at < 12 else 120) for at in range(24)}
    told |= {("short", "A", FIRST + at): (2000, 100) for at in range(25)}
    found = forecast(spark, told, {"grown": None, "short": 1})
    assert [at for at in found if at[0] == "short"] == []
    assert sorted(day for _, _, day in found) == [month(FIRST + 24 + at) for at in range(12)]
    row = found["grown", "A", date(2021, 1, 1)]
    assert (row["performance_year"], row["learned_until"], row["level_pmpm"]) == (2020, date(2020, 12, 1), 120)
    assert row["growth"] == pytest.approx(0.2)
    assert row["season"] == pytest.approx(1 / (1 - 0.2 * 5.5 / 12))
    assert row["forecast_pmpm"] == pytest.approx(120 / (1 - 0.2 * 5.5 / 12) * (1 + 0.2 * 6.4 / 12))
    assert (row["held_back_months"], row["mean_error"], row["forecast_pmpm_low"]) == (0, None, None)


def test_months_with_little_run_out_teach_nothing_and_the_band_is_that_of_the_months_held_back(spark):
    """38 told months at 100, the last 2 at 900 but hardly paid: 36 teach, 12 are held back, and no error is found. B is
    as large and alike but for the held back months, half of them at 110 and half at 90; its growth is then 0 too."""
    told = {("p", "A", FIRST + at): (10, 900 if at > 35 else 100) for at in range(38)}
    told |= {("p", "B", FIRST + at): (10, 100 + (at > 23) * (10 if at % 2 else -10)) for at in range(36)}
    found = forecast(spark, told, {"p": 1})
    assert sorted(day for _, network, day in found if network == "A") == [month(FIRST + 38 + at) for at in range(12)]
    a, b = (found["p", network, month(FIRST + 38)] for network in "AB")
    assert a["learned_until"] == month(FIRST + 35) and a["level_pmpm"] == 100
    assert (a["held_back_months"], a["mean_error"]) == (12, 0)
    assert a["forecast_pmpm_low"] == a["forecast_pmpm"] == a["forecast_pmpm_high"]
    assert b["mean_error"] == pytest.approx((10 / 110 + 10 / 90) / 2)
    assert b["forecast_pmpm_high"] / b["forecast_pmpm"] - 1 == pytest.approx(2.179 * 0.1)
    assert 1 - b["forecast_pmpm_low"] / b["forecast_pmpm"] == pytest.approx(2.179 * 0.1)


def in_plain_python(told, policy: str, origin: int):
    """Forecasts of a policy from `origin` on, by network and month, of the months until then alone."""
    own: dict[str, dict[int, tuple[int, float]]] = defaultdict(dict)
    for (name, network, at), (exposure, pmpm) in told.items():
        if name == policy and origin - 24 < at <= origin:
            own[network][at] = (exposure, float(Decimal(f"{exposure * pmpm:.2f}")))
    everyone = {
        at: tuple(map(sum, zip(*[n[at] for n in own.values() if at in n], strict=True)))
        for at in range(origin - 23, origin + 1)
    }

    def level(series, back):
        of = [series[at] for at in range(origin - back - 11, origin - back + 1) if at in series]
        exposure = sum(e for e, _ in of)
        return sum(a for _, a in of) / exposure if exposure else None

    recent, before = level(everyone, 0), level(everyone, 12)
    growth_of_all = recent / before - 1
    made = {}
    for network, series in own.items():
        mine, mine_before = level(series, 0), level(series, 12)
        if mine is None:
            continue
        exposure = sum(e for at, (e, _) in series.items() if at > origin - 12)
        z = min(1, (exposure / 24_000) ** 0.5)
        growth = z * (mine / mine_before - 1) + (1 - z) * growth_of_all if mine_before else growth_of_all
        for ahead in range(1, 40):
            place = -ahead % 12
            shares = [
                everyone[origin - place][1] / everyone[origin - place][0] / recent,
                everyone[origin - place - 12][1] / everyone[origin - place - 12][0] / before,
            ]
            season = sum(shares) / 2 / (1 + growth_of_all * (5.5 - place) / 12)
            damped = 5.5 + sum(0.9**step for step in range(1, ahead + 1))
            made[network, origin + ahead] = mine * season * (1 + growth * damped / 12)
    return made


def test_every_forecast_and_error_of_generated_networks_is_that_of_plain_python(spark):
    draw = random.Random(3)
    told, runout = {}, {}
    for policy in [f"p{at}" for at in range(12)]:
        length = draw.choice((23, 24, 27, 30, 36, 40, 60))
        runout[policy] = draw.choice((None, None, 0, 1, 3, 5, -2))
        for network in "ABC":
            size, base, trend = draw.choice((3, 40, 900, 5000)), draw.uniform(200, 1500), draw.uniform(-0.1, 0.2)
            for at in range(length):
                if network == "A" or (draw.random() < 0.95 and not (network == "C" and length // 2 < at < length - 6)):
                    pmpm = base * (1 + trend * at / 12) * draw.uniform(0.7, 1.3) * (draw.random() > 0.02)
                    told[policy, network, FIRST + at] = (size + draw.randint(0, size), pmpm)
    found = forecast(spark, told, runout)
    seen, tested = 0, 0
    for policy, ends in runout.items():
        last = max(at for name, _, at in told if name == policy)
        learned = last if ends is None else min(last, last + ends - 3)
        count = learned - FIRST + 1
        if count < 24:
            assert not [at for at in found if at[0] == policy]
            continue
        held = min(12, count - 24)
        made = in_plain_python(told, policy, learned)
        test = in_plain_python(told, policy, learned - held)
        for network in "ABC":
            if (network, learned + 1) not in made:
                continue
            errors = []
            for at in range(learned - held + 1, learned + 1):
                exposure, pmpm = told.get((policy, network, at), (0, 0))
                if (network, at) in test and exposure and round(exposure * pmpm, 2) > 0:
                    errors.append((test[network, at], round(exposure * pmpm, 2) / exposure))
            for at in range(last + 1, last + 13):
                row = found[policy, network, month(at)]
                seen += 1
                assert row["forecast_pmpm"] == pytest.approx(made[network, at])
                assert (row["learned_until"], row["performance_year"]) == (month(learned), last // 12)
                assert row["held_back_months"] == len(errors)
                if not errors:
                    assert row["mean_error"] is None and row["forecast_pmpm_high"] is None
                    continue
                tested += 1
                assert row["mean_error"] == pytest.approx(sum(abs(f / a - 1) for f, a in errors) / len(errors))
                root = (sum((a / f - 1) ** 2 for f, a in errors) / len(errors)) ** 0.5
                half = STUDENT_95[len(errors) - 1] * root * row["forecast_pmpm"]
                assert row["forecast_pmpm_high"] == pytest.approx(row["forecast_pmpm"] + half)
                assert row["forecast_pmpm_low"] == pytest.approx(max(row["forecast_pmpm"] - half, 0), abs=1e-9)
    assert len(found) == seen and tested > 100
