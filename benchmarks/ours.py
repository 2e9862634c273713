"""Our side: `pmpm run --from eligibility_spans`, as shipped; on Spark with an event log.

python -m benchmarks.ours CONFIG [EVENTS [PROPERTY=VALUE ...]]
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.events import logged

FIRST_TABLE = "eligibility_spans"
"""What is made first of the loaded tables; everything after it is made too."""


def main(config: str, events: str | None = None, *properties: str) -> int:
    """The exit code of the run."""
    if events is not None:
        from pmpm_spark.config import load_config
        from pmpm_spark.profiles import properties_for
        from pmpm_spark.session import find_conf, open_session

        # `pmpm run` takes the session that is there; its properties are those it would start one with, but for the log
        own = find_conf(properties_for(load_config(config).source))
        more = dict(word.split("=", 1) for word in properties)
        open_session(str(logged(own, Path(events), more)))
    from pmpm_spark.cli import main as pmpm

    return pmpm(["run", "--from", FIRST_TABLE, "--config", config])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
