"""Make the reported tables from member years and costs, and assert that nothing leaks.

spark-submit --properties-file conf/spark/local.conf jobs/run_gold.py --config conf/local.toml
"""

from pmpm_spark.cli.job import leave, run_job

if __name__ == "__main__":
    leave(run_job("Make the reported tables from member years and costs, and assert that nothing leaks.", group="gold"))
