"""Settings read strictly: an unknown key, a missing one or a value of the wrong kind is an error that names it."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, TypeVar

from pmpm_spark.errors import ConfigError

Settings = TypeVar("Settings")


def read_settings(
    cls: type[Settings], said: Mapping[str, Any], where: str, prefix: str = "", hidden: tuple[str, ...] = ()
) -> Settings:
    """A dataclass from a TOML table; nested dataclasses are nested tables.

    A field's metadata may hold `values` (the words it takes). `hidden` fields cannot be said. A field that is a Mapping
    takes texts by keys of any name, where `"a.b" = ` and `a.b = ` are the same.

    Raises:
        ConfigError: names the file, the key and what it takes.
    """
    fields = {f.name: f for f in dataclasses.fields(cls) if f.name not in hidden}  # type: ignore[arg-type]
    hints = typing.get_type_hints(cls)
    for key in said:
        if key not in fields:
            raise ConfigError(f"{where}: unknown key {prefix}{key} (known here: {', '.join(sorted(fields))})")
    values: dict[str, Any] = {}
    for name, spec in fields.items():
        key = f"{prefix}{name}"
        if name not in said:
            if spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING:
                raise ConfigError(f"{where}: {key} is missing")
            continue
        value, hint = said[name], hints[name]
        if dataclasses.is_dataclass(hint):
            if not isinstance(value, Mapping):
                raise ConfigError(f"{where}: {key} is a table: write [{key}]")
            values[name] = read_settings(typing.cast("type[Any]", hint), value, where, f"{key}.")
        else:
            values[name] = _plain(value, hint, spec.metadata.get("values"), where, key)
    return cls(**values)


def _plain(value: Any, hint: Any, allowed: tuple[str, ...] | None, where: str, key: str) -> Any:
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    kinds = [kind for kind in options if kind is not type(None)]
    wanted = kinds[0]
    if typing.get_origin(wanted) is Mapping:
        return _texts(value, where, key)
    if typing.get_origin(wanted) is tuple:
        listed = value if isinstance(value, list) else [value]
        inner = typing.get_args(wanted)[0]
        if not all(type(item) is inner for item in listed):
            raise ConfigError(f"{where}: {key} must be a list of {_word(inner)}")
        return tuple(listed)
    if wanted is str and type(value) is date:
        value = value.isoformat()  # TOML writes a day without quotes
    if wanted is float and type(value) is int:  # and true is no number
        value = float(value)
    if type(value) is not wanted:
        raise ConfigError(f"{where}: {key} must be {_word(wanted)}")
    if allowed and value not in allowed:
        raise ConfigError(f'{where}: {key} = "{value}" is unknown (one of: {", ".join(allowed)})')
    return value


def _texts(value: Any, where: str, key: str) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: {key} is a table: write [{key}]")
    texts: dict[str, str] = {}
    for name, text in _flat(value):
        if name in texts:
            raise ConfigError(f"{where}: {key} names {name} twice: once in quotes and once without")
        if type(text) is not str or not text.strip():
            raise ConfigError(f"{where}: {key}.{name} must be text in quotes")
        texts[name] = text
    return texts


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a table and its tables, by dotted key."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _word(kind: Any) -> str:
    words = {str: "text in quotes", int: "a whole number", bool: "true or false", float: "a number"}
    return words.get(kind, getattr(kind, "__name__", str(kind)))
