"""Make the reported tables from member years and costs, and assert that nothing leaks.

spark-submit --properties-file conf/spark/local.conf jobs/run_gold.py --config conf/local.toml
"""

import sys

from pmpm_spark.cli.job import run_job

if __name__ == "__main__":
    sys.exit(
        run_job("Make the reported tables from member years and costs, and assert that nothing leaks.", group="gold")
    )
