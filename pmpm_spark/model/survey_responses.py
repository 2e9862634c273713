"""Answers to surveys of members and of physicians, as the user supplies them."""

from pmpm_spark.table import SCORE, Table, column, day, text, year

MEMBER, PROVIDER = "member", "provider"

SURVEY_RESPONSES = Table(
    name="silver.survey_responses",
    grain="one row per survey, wave, respondent, domain and question",
    key=("survey", "wave", "member_id", "physician_npi", "domain", "question"),
    columns=(
        text("survey", "name of the survey"),
        text("wave", "when it was asked: a day or a text; waves follow each other in the order of their texts"),
        text("member_id", "pseudonymous member key of who answered; empty where a physician did"),
        text("physician_npi", "NPI of the physician who answered; empty where a member did"),
        text("domain", "what is asked about"),
        text("question", "question of the domain; empty where the score is of the whole domain"),
        year("performance_year", "calendar year that the wave is of"),
        day("surveyed_on", "day of the answer: told, else the wave's own, else the last of the year"),
        text("practice_tin", "tax number under which the physician answered; empty where it is not told"),
        column("score", SCORE, "the answer, on its own scale"),
        column("scale_low", SCORE, "worst score that can be given"),
        column("scale_high", SCORE, "best score that can be given"),
        column("weight", SCORE, "weight of the answer, above 0; 1 where it is not told"),
    ),
    rules={
        "one_respondent": "(member_id = '') <> (physician_npi = '')",
        "score_on_scale": "score BETWEEN scale_low AND scale_high",
        "scale_runs_upward": "scale_high > scale_low",
        "weight_is_positive": "weight > 0",
    },
    cluster_by=("member_id",),
    key_is_built_in=True,
)
