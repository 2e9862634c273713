"""Write the report of a year and policy of the last finished run: one HTML file.

spark-submit --properties-file conf/spark/local.conf jobs/run_report.py --config conf/local.toml --out build/pmpm.html
"""

from pmpm_spark.cli.job import command

if __name__ == "__main__":
    command("report")
