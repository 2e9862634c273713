"""The main job: from claim and enrollment files to risk-adjusted PMPM in Delta tables.

spark-submit --properties-file conf/spark/local.conf jobs/run_pipeline.py --config conf/local.toml
"""

from pmpm_spark.cli.job import leave, run_job

if __name__ == "__main__":
    leave(run_job("The main job: load what is new, run all stages, publish.", group=None))
