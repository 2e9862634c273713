"""Put small files together and delete those that no run within the retention needs.

spark-submit --properties-file conf/spark/local.conf jobs/run_maintenance.py --config conf/local.toml
"""

from pmpm_spark.cli.job import command

if __name__ == "__main__":
    command("maintain")
