"""What `make demo` is measured by: a Spark session as ours is opened, that writes one small Delta table.

python -m benchmarks.bare_session OUT
"""

from __future__ import annotations

import sys

from pmpm_spark.session import open_session

if __name__ == "__main__":
    spark = open_session(None, "bare")
    spark.range(1_000).write.format("delta").save(sys.argv[1])
    spark.stop()
