"""
Kinds of values that a setting can have. Each is read from its text, or refused with a sentence that names both.

A function here takes the environment and the variable's name, and raises BadSetting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_network

from runtime.http.counters import BadLimit, parse_limit

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class BadSetting(ValueError):
    """A setting in the environment cannot be used."""

    def __init__(self, name: str, value: object, wanted: str) -> None:
        super().__init__(f"{name}={value!r} cannot be used: {wanted}.")


def words(environ: Mapping[str, str], name: str, default: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in environ.get(name, default).split(",") if word.strip())


def flag(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(name, "").strip().lower()
    if value not in {"", "0", "1", "true", "false", "yes", "no"}:
        raise BadSetting(name, environ[name], "say 1 or 0")
    return value in {"1", "true", "yes"}


def whole(environ: Mapping[str, str], name: str, default: int) -> int:
    value = environ.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) < 1:
        raise BadSetting(name, value, "it is a whole number from 1")
    return int(value)


def port(environ: Mapping[str, str], name: str, default: str) -> int:
    value = environ.get(name) or default
    if not re.fullmatch(r"[0-9]{1,5}", value) or int(value) > 65535:
        raise BadSetting(name, value, "it is a whole number up to 65535")
    return int(value)


def bind(environ: Mapping[str, str], name: str) -> tuple[str, int] | None:
    """Where to listen: ``*`` is every address."""
    value = environ.get(name)
    if not value:
        return None
    host, _, number = value.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]{1,5}", number) or int(number) > 65535:
        raise BadSetting(name, value, "it is an address and a port, as in 127.0.0.1:9102, or *:9102 for all addresses")
    return ("" if host == "*" else host.strip("[]"), int(number))


def server(environ: Mapping[str, str], name: str, schemes: tuple[str, ...]) -> str | None:
    value = environ.get(name)
    if value and value.partition("://")[0] not in schemes:
        raise BadSetting(name, "…", f"it begins with {', '.join(f'{scheme}://' for scheme in schemes)}")
    return value


def limit(environ: Mapping[str, str], name: str, default: str) -> str:
    value = environ.get(name, default)
    try:
        parse_limit(value)
    except BadLimit:
        raise BadSetting(name, value, "write count/time, as in 100/15m, or off") from None
    return value


def networks(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    found = words(environ, name, "")
    for word in found:
        try:
            ip_network(word, strict=False)
        except ValueError:
            raise BadSetting(name, environ[name], f"{word!r} is no address and no network, as in 10.0.0.0/8") from None
    return found


def choice(environ: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = environ.get(name) or choices[0]
    if value not in choices:
        raise BadSetting(name, value, f"it is one of {', '.join(choices)}")
    return value


def duration(environ: Mapping[str, str], name: str, default: str) -> float:
    value = environ.get(name, default)
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", value)
    if not found:
        raise BadSetting(name, value, "it is a number with ms, s, m, h or d, as in 3s")
    return float(found[1]) * _UNITS[found[2]]


def share(environ: Mapping[str, str], name: str, default: str) -> float:
    value = environ.get(name) or default
    if not re.fullmatch(r"(0(\.[0-9]{1,6})?|1(\.0{1,6})?)", value):
        raise BadSetting(name, value, "it is a number from 0 to 1, as in 0.1")
    return float(value)


def address(environ: Mapping[str, str], name: str, example: str) -> str | None:
    given = environ.get(name)
    if given and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", given):
        raise BadSetting(name, given, f"it is an http or https address, as in {example}")
    return given or None


def currency(environ: Mapping[str, str]) -> str:
    value = environ.get("SHOP_CURRENCY", "GBP")
    if not re.fullmatch(r"[A-Z]{3}", value):
        raise BadSetting("SHOP_CURRENCY", value, "it is three capital letters, as in GBP")
    return value
