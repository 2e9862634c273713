"""Load new files and build the common model: bronze, intake, members, coverage, claim lines.

spark-submit --properties-file conf/spark/local.conf jobs/run_load.py --config conf/local.toml
"""

from pmpm_spark.cli.job import leave, run_job

if __name__ == "__main__":
    leave(
        run_job(
            "Load new files and build the common model: bronze, intake, members, coverage, claim lines.", group="load"
        )
    )
