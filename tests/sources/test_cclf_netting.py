"""CMS's netting rules, each on versions small enough to net by hand (CCLF Information Packet, 3.2, 3.3, 5.1-5.3)."""

from __future__ import annotations

import random
from collections import defaultdict

from pyspark.sql import SparkSession

from pmpm_spark.model.intake import UNMATCHED_CANCEL, UNMATCHED_LINE
from tests.cclf_files import center, change, fill, header, line
from tests.sources.cclf_frames import Netted


def test_versions_under_former_ids_are_netted_under_the_current_one(spark: SparkSession) -> None:
    """Chains come step by step (A to B to C) or all to the newest (D to C)."""
    found = Netted(
        spark,
        cclf9=[change("MA", "MB"), change("MB", "MC"), change("MD", "MC")],
        cclf1=[header("1", "MA", "100.00"), header("2", "MC", "100.00", "1"), header("3", "MD", "70.00", "2")],
    )
    assert found.standing() == [("3", 1, "70.00")]
    assert {r["member_id"] for r in found.rows.select("member_id").collect()} == {"MC"}


def test_a_version_delivered_twice_counts_once(spark: SparkSession) -> None:
    """In another delivery, or in the same one; the later file counts where they differ."""
    found = Netted(
        spark,
        cclf1=[
            ("220515", [header("1", "M1", "100.00"), header("2", "M2", "5.00")]),
            ("220615", [header("1", "M1", "100.00"), header("2", "M2", "6.00")]),
        ],
        cclf5=[("220515", [line("CCLF5", "3", 1, "M1", "8.00")] * 2)],
    )
    assert found.standing() == [("1", 1, "100.00"), ("2", 1, "6.00"), ("3", 1, "8.00")]
    outcomes = [(claim, outcome) for claim, _, outcome, _ in found.fates()]
    assert sorted(outcomes) == [
        ("1", "accepted"), ("1", "duplicate"), ("2", "accepted"), ("2", "superseded"), ("3", "accepted"),
        ("3", "duplicate"),
    ]  # fmt: skip


def test_a_part_a_key_is_provider_days_and_person(spark: SparkSession) -> None:
    others = (
        {"CLM_BLG_PRVDR_OSCAR_NUM": "410002"}, {"CLM_FROM_DT": "2022-04-09"}, {"CLM_THRU_DT": "2022-04-11"},
        {"BENE_MBI_ID": "N4"},
    )  # fmt: skip
    versions = []
    for place, other in enumerate(others, 1):
        whose = f"M{place}"
        versions += [header(f"1{place}", whose, "100.00"), header(f"2{place}", whose, "100.00", "1", **other)]
    found = Netted(spark, cclf1=versions)
    assert found.standing() == [(f"1{place}", 1, "100.00") for place in (1, 2, 3, 4)]
    for place in (1, 2, 3, 4):
        assert (f"2{place}", 0, "rejected", UNMATCHED_CANCEL) in found.fates()


def test_a_part_b_or_dme_key_is_control_number_person_and_line(spark: SparkSession) -> None:
    """What replaces a line is another original under the same control number: there is no code 2."""

    def lines(kind: str, n: int) -> list[str]:
        return [
            line(kind, f"{n}1", 1, "M1", "10.00"),
            line(kind, f"{n}1", 2, "M1", "20.00"),
            line(kind, f"{n}2", 2, "M1", "20.00", "1"),
            line(kind, f"{n}3", 2, "M1", "15.00"),
            line(kind, f"{n}4", 1, "M1", "10.00", "1", CLM_CNTL_NUM="N2"),
            line(kind, f"{n}5", 1, "M2", "10.00", "1"),
        ]

    found = Netted(spark, cclf5=lines("CCLF5", 5), cclf6=lines("CCLF6", 6))
    assert found.standing() == [
        (f"{n}{claim}", at, paid) for n in (5, 6) for claim, at, paid in ((1, 1, "10.00"), (3, 2, "15.00"))
    ]
    assert {(claim, why) for claim, _, _, why in found.fates() if why} == {
        (f"{n}{claim}", UNMATCHED_CANCEL) for n in (5, 6) for claim in (4, 5)
    }


def test_a_cancel_before_with_or_after_what_replaces_the_original_removes_the_original(spark: SparkSession) -> None:
    """One person a day of the cancel."""
    headers, lines = [], []
    for n, cancelled_on in enumerate(("2022-04-19", "2022-04-25", "2022-05-01", "2022-05-10"), 1):
        headers += [
            header(f"1{n}", f"M{n}", "100.00", CLM_EFCTV_DT="2022-04-20"),
            header(f"3{n}", f"M{n}", "100.00", "1", CLM_EFCTV_DT=cancelled_on, CLM_ORG_CNTL_NUM=f"N1{n}"),
            header(f"2{n}", f"M{n}", "90.00", "2", CLM_EFCTV_DT="2022-05-01"),
        ]
        lines += [
            line("CCLF5", f"4{n}", 1, f"M{n}", "10.00", CLM_EFCTV_DT="2022-04-20"),
            line("CCLF5", f"5{n}", 1, f"M{n}", "10.00", "1", CLM_EFCTV_DT=cancelled_on),
            line("CCLF5", f"6{n}", 1, f"M{n}", "9.00", CLM_EFCTV_DT="2022-05-01"),
        ]
    found = Netted(spark, cclf1=headers, cclf5=lines)
    assert found.standing() == [
        (f"{kind}{n}", 1, paid) for kind, paid in ((2, "90.00"), (6, "9.00")) for n in (1, 2, 3, 4)
    ]


def test_of_two_originals_of_one_key_the_one_that_the_cancel_names_is_removed(spark: SparkSession) -> None:
    """The named one, though the other has the same amount and took effect first."""
    found = Netted(
        spark,
        cclf1=[
            header("1", "M1", "100.00", CLM_EFCTV_DT="2022-04-01"),
            header("2", "M1", "100.00"),
            header("3", "M1", "100.00", "1", CLM_ORG_CNTL_NUM="N2"),
        ],
    )
    assert found.standing() == [("1", 1, "100.00")]


def test_a_cancel_that_names_none_removes_one_of_its_amount_and_no_more(spark: SparkSession) -> None:
    found = Netted(
        spark,
        cclf1=[header("1", "M1", "80.00"), header("2", "M1", "100.00"), header("3", "M1", "100.00", "1")],
        cclf6=[
            line("CCLF6", "4", 1, "M1", "7.00"),
            line("CCLF6", "5", 1, "M1", "7.00"),
            line("CCLF6", "6", 1, "M1", "7.00", "1"),
        ],
    )
    assert found.standing() == [("1", 1, "80.00"), ("5", 1, "7.00")]


def test_a_cancel_of_what_was_not_delivered_does_not_touch_what_replaces_it(spark: SparkSession) -> None:
    """By the number that it names though amounts agree, or by the amount."""
    found = Netted(
        spark,
        cclf1=[header("1", "M1", "100.00", "1", CLM_ORG_CNTL_NUM="N0"), header("2", "M1", "100.00", "2")],
        cclf5=[line("CCLF5", "3", 1, "M1", "10.00", "1"), line("CCLF5", "4", 1, "M1", "9.00")],
    )
    assert found.standing() == [("2", 1, "100.00"), ("4", 1, "9.00")]
    assert {claim for claim, _, _, why in found.fates() if why} == {"1", "3"}


def test_a_cancel_without_another_version_is_set_aside_with_its_lines(spark: SparkSession) -> None:
    found = Netted(
        spark,
        cclf1=[header("1", "M1", "100.00", "1")],
        cclf2=[center("1", 1)],
        cclf7=[fill("2", "M1", "3.00", "1")],
    )
    assert found.standing() == []
    assert found.fates() == [
        ("1", 0, "rejected", UNMATCHED_CANCEL),
        ("1", 1, "rejected", UNMATCHED_LINE),
        ("2", 1, "rejected", UNMATCHED_CANCEL),
    ]


def test_denied_claims_and_lines_are_kept_and_never_counted(spark: SparkSession) -> None:
    lines = [line("CCLF5", "1", n, "M1", "1.00", CLM_PRCSG_IND_CD=code) for n, code in enumerate("AORSNCDI", 1)]
    lines.append(line("CCLF5", "1", 9, "M1", "1.00", CLM_PRCSG_IND_CD=""))
    denied = [line("CCLF6", "2", 1, "M1", "1.00", CLM_CARR_PMT_DNL_CD="0")]
    found = Netted(spark, cclf5=lines, cclf6=denied, cclf1=[header("3", "M1", "5.00", CLM_MDCR_NPMT_RSN_CD="N")])
    assert [at for claim, at, _ in found.standing() if claim == "1"] == [1, 2, 3, 4, 9]
    assert {claim for claim, *_ in found.standing()} == {"1"}
    assert found.final.count() == 11


def test_of_part_d_the_last_record_of_a_key_stands_and_none_where_it_is_a_deletion(spark: SparkSession) -> None:
    """Earlier records are ignored, not subtracted; the same day goes by the claim's number."""
    found = Netted(
        spark,
        cclf7=[
            fill("1", "M1", "10.00"),
            fill("2", "M1", "8.00", "2", CLM_EFCTV_DT="2022-05-20"),
            fill("3", "M1", "7.00", "2", CLM_EFCTV_DT="2022-05-20"),
            fill("4", "M1", "5.00", CLM_LINE_RX_FILL_NUM="1"),
            fill("5", "M1", "0.00", "1", CLM_LINE_RX_FILL_NUM="1", CLM_EFCTV_DT="2022-05-20"),
            fill("6", "M1", "4.00", CLM_LINE_RX_FILL_NUM="2"),
            fill("7", "M1", "0.00", "1", CLM_LINE_RX_FILL_NUM="2", CLM_EFCTV_DT="2022-05-20"),
            fill("8", "M1", "3.00", "2", CLM_LINE_RX_FILL_NUM="2", CLM_EFCTV_DT="2022-06-20"),
        ],
    )
    assert found.standing("patient_paid_amount") == [("3", 1, "7.00"), ("8", 1, "3.00")]
    assert {r[0] for r in found.lines.select("paid_amount").collect()} == {None}


def test_the_payment_of_a_part_a_claim_stands_on_its_first_line_once(spark: SparkSession) -> None:
    """Amounts of its lines do not count; a claim without a line is a line itself."""
    found = Netted(
        spark,
        cclf1=[header("1", "M1", "100.00"), header("2", "M1", "50.00", CLM_FROM_DT="2022-04-01")],
        cclf2=[center("1", n, CLM_LINE_CVRD_PD_AMT="60.00") for n in (3, 2)],
    )
    assert found.standing() == [("1", 2, "100.00"), ("1", 3, "0.00"), ("2", 1, "50.00")]


AMOUNTS = ("10.00", "20.00", "30.00")


def test_hundreds_of_generated_keys_are_netted_as_plain_python_nets_them(spark: SparkSession) -> None:
    """Each cancel takes the version that it names, or where it names none, one of its amount, the first in effect."""
    draw = random.Random(11)
    versions = []
    for key in range(300):
        for _ in range(draw.randint(1, 5)):
            versions.append(
                {
                    "claim": str(1000 + len(versions)),
                    "member": f"M{key}",
                    "paid": draw.choice(AMOUNTS),
                    "code": draw.choice("00112"),
                    "on": f"2022-05-0{draw.randint(1, 4)}",
                }
            )
    for version in versions:
        own = [v["claim"] for v in versions if v["member"] == version["member"] and v["code"] != "1"]
        version["names"] = draw.choice(own) if own and draw.random() < 0.5 else ""
    headers = [
        header(
            v["claim"], v["member"], v["paid"], v["code"], CLM_EFCTV_DT=v["on"],
            **({"CLM_ORG_CNTL_NUM": f"N{v['names']}"} if v["names"] else {}),
        )
        for v in versions
    ]  # fmt: skip
    lines = [
        line("CCLF5", f"5{v['claim']}", 1, v["member"], v["paid"], v["code"].replace("2", "0"), CLM_EFCTV_DT=v["on"])
        for v in versions
    ]
    draw.shuffle(headers)
    draw.shuffle(lines)
    found = Netted(spark, cclf1=headers, cclf5=lines)
    expected, unmatched = _by_hand(versions, named=True)
    without_names, unmatched_lines = _by_hand(versions, named=False)
    expected |= {f"5{claim}": paid for claim, paid in without_names.items()}
    assert found.standing() == sorted((claim, 1, paid) for claim, paid in expected.items())
    rejected = {claim for claim, _, outcome, _ in found.fates() if outcome == "rejected"}
    assert rejected == unmatched | {f"5{claim}" for claim in unmatched_lines}


def _by_hand(versions: list[dict[str, str]], *, named: bool) -> tuple[dict[str, str], set[str]]:
    """What stands, and the cancels that find nothing."""
    keys = defaultdict(list)
    for version in sorted(versions, key=lambda v: (v["on"], v["claim"])):
        keys[version["member"]].append(version)
    standing, unmatched = {}, set()
    for of_key in keys.values():
        free = {v["claim"]: v for v in of_key if v["code"] != "1"}
        cancels = [v for v in of_key if v["code"] == "1"]
        names = {v["claim"]: v["names"] if named else "" for v in cancels}
        for cancel in sorted(cancels, key=lambda v: names[v["claim"]] == ""):  # those that name one first
            wanted = names[cancel["claim"]]
            fitting = [
                claim for claim, v in free.items() if (claim == wanted if wanted else v["paid"] == cancel["paid"])
            ]
            if fitting:
                del free[fitting[0]]
            else:
                unmatched.add(cancel["claim"])
        standing |= {claim: v["paid"] for claim, v in free.items()}
    return standing, unmatched
