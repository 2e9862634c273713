#!/usr/bin/env bash
# Write the report on the primary node of a cluster and put it beside the warehouse: bash report.sh s3://BUCKET/pmpm
set -euo pipefail

folder="$1"
cd "$(mktemp -d)"
aws s3 cp --quiet "$folder/pmpm_spark.zip" pmpm_spark.zip
python3.11 -m zipfile -e pmpm_spark.zip pmpm
export PYTHONPATH=pmpm PYSPARK_PYTHON=python3.11
spark-submit --deploy-mode client "$folder/jobs/run_report.py" \
    --config pmpm/pmpm_spark/conf/emr/glue.toml --out pmpm.html
aws s3 cp --quiet pmpm.html "$folder/reports/pmpm.html"
