"""Post what contracts owe as known on a day, less what earlier payment runs posted.

spark-submit --properties-file conf/spark/local.conf jobs/run_capitation.py --config conf/local.toml --as-of 2022-02-05
"""

from pmpm_spark.cli.job import command

if __name__ == "__main__":
    command("capitate")
