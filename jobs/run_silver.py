"""Apply the rules: spans, member months, final claims, costs, attribution, member years.

spark-submit --properties-file conf/spark/local.conf jobs/run_silver.py --config conf/local.toml
"""

from pmpm_spark.cli.job import leave, run_job

if __name__ == "__main__":
    leave(
        run_job(
            "Apply the rules: spans, member months, final claims, costs, attribution, member years.", group="silver"
        )
    )
