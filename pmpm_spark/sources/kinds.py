"""The delivered formats: for each `source.kind` what its package tells of itself.

Everything after their stages is the same whatever was delivered.
"""

from __future__ import annotations

from importlib import import_module

from pmpm_spark.config import SOURCES
from pmpm_spark.sources.source_kind import SourceKind

SOURCE_KINDS: dict[str, SourceKind] = {name: import_module(f"pmpm_spark.sources.{name}").SOURCE for name in SOURCES}
