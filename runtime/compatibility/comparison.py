"""Two snapshots of one domain's contract, and what lies between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runtime.codec.schemas import Schema
from runtime.compatibility.snapshots import Snapshot
from runtime.compatibility.values import Change, Walk
from runtime.compatibility.verdicts import COMMIT, Difference, Role, Use, Verdict, judge

type _Found = Iterator[tuple[Verdict, str, str, str]]


def compare(domain: str, old: Snapshot, new: Snapshot) -> list[Difference]:
    """Every difference once, the worst first. Empty where whoever knows the one knows the other."""
    found = [
        Difference(verdict=verdict, domain=domain, subject=subject, what=what, advice=advice)
        for part in (_events(old, new), _methods(domain, old, new), _errors(old, new), _names(old, new))
        for verdict, subject, what, advice in part
    ]
    found += _values(domain, old, new)
    return sorted(found, key=lambda one: (-one.verdict, one.subject, one.what))


def _values(domain: str, old: Snapshot, new: Snapshot) -> list[Difference]:
    """One line for a value that changed, wherever it crosses."""
    uses: dict[Change, list[Use]] = {}
    for use, changes in (*_told(old, new), *_called(domain, old, new)):
        for change in changes:
            uses.setdefault(change, []).append(use)
    return [judge(change, where, domain=domain) for change, where in uses.items()]


def _told(old: Snapshot, new: Snapshot) -> Iterator[tuple[Use, Iterable[Change]]]:
    for name in _both(old, new, "events"):
        before, after = old["events"][name], new["events"][name]
        raised_to = after["version"] if after["version"] > before["version"] else None
        walk = Walk(old["$defs"], new["$defs"])
        yield Use(Role.TOLD, name, raised_to), walk.value(before["data"], after["data"], name)


def _called(domain: str, old: Snapshot, new: Snapshot) -> Iterator[tuple[Use, Iterable[Change]]]:
    for name in _both(old, new, "methods"):
        before, after, method = old["methods"][name], new["methods"][name], f"{domain}.{name}"
        asked, answered = (Walk(old["$defs"], new["$defs"]) for _ in range(2))
        parameters = asked.fields(before["parameters"], after["parameters"], f"{method}({{}})")
        yield Use(Role.ASKED, method), parameters
        yield Use(Role.ANSWERED, method), answered.value(before["returns"], after["returns"], f"{method}()")


def _events(old: Snapshot, new: Snapshot) -> _Found:
    for name in _gone(old, new, "events"):
        yield Verdict.BREAKING, name, "is told no longer", "tell it until nobody subscribes to it"
    for name in _gone(new, old, "events"):
        yield Verdict.COMPATIBLE, name, "is a new event", COMMIT
    for name in _both(old, new, "events"):
        yield from _event(name, old["events"][name], new["events"][name])


def _event(name: str, old: Schema, new: Schema) -> _Found:
    for key, words in (("exchange", "exchange"), ("routingKey", "routing key")):
        if old[key] != new[key]:
            what = f"had the {words} {old[key]} and has {new[key]}"
            yield Verdict.BREAKING, name, what, "queues are bound to the old one: put it back, or tell a new event"
    before, after = old["version"], new["version"]
    if after > before:
        advice = f"deploy every consumer first (one that does not know it parks it) and keep an upcaster; {COMMIT}"
        yield Verdict.VERSIONED, name, f"was raised from version {before} to {after}", advice
    if after < before:
        what = f"went back from version {before} to {after}"
        yield Verdict.BREAKING, name, what, "events of the newer one are written already: versions only go up"


def _methods(domain: str, old: Snapshot, new: Snapshot) -> _Found:
    for name in _gone(old, new, "methods"):
        yield Verdict.BREAKING, f"{domain}.{name}", "was removed", "keep it until nobody calls it"
    for name in _gone(new, old, "methods"):
        yield Verdict.COMPATIBLE, f"{domain}.{name}", "is a new method", COMMIT
    for name in _both(old, new, "methods"):
        before, after = set(old["methods"][name]["raises"]), set(new["methods"][name]["raises"])
        for code in sorted(after - before):
            yield Verdict.COMPATIBLE, f"{domain}.{name}", f"may now raise {code}", COMMIT
        for code in sorted(before - after):
            yield Verdict.COMPATIBLE, f"{domain}.{name}", f"raises {code} no longer", COMMIT


def _errors(old: Snapshot, new: Snapshot) -> _Found:
    for code in _gone(old, new, "errors"):
        what = f"({old['errors'][code]['class']}) was removed"
        yield Verdict.BREAKING, f"The error {code}", what, "keep it until nobody waits for it"
    for code in _gone(new, old, "errors"):
        what = f"({new['errors'][code]['class']}) is new"
        yield Verdict.COMPATIBLE, f"The error {code}", what, f"who does not know it goes by its kind; {COMMIT}"
    for code in _both(old, new, "errors"):
        before, after = old["errors"][code], new["errors"][code]
        if before["kind"] != after["kind"]:
            what = f"was {before['kind']} and is {after['kind']}"
            yield Verdict.BREAKING, f"The error {code}", what, "callers decide by the kind: make it a new error"
        if before["mayHaveRun"] != after["mayHaveRun"]:
            what = f"now says that the call {'may have run' if after['mayHaveRun'] else 'did not run'}"
            yield Verdict.BREAKING, f"The error {code}", what, "callers decide by it: make it a new error"
        if before["class"] != after["class"]:
            what = f"is {after['class']} and was {before['class']}"
            yield Verdict.COMPATIBLE, f"The error {code}", what, f"only the code travels; {COMMIT}"


def _names(old: Snapshot, new: Snapshot) -> _Found:
    """Classes that came and went: no name of theirs is on the wire, and their fields are compared where they cross."""
    told = {event["data"].get("$ref", "").rpartition("/")[2] for one in (old, new) for event in one["events"].values()}
    for name in sorted(set(_gone(old, new, "$defs")) - told):
        yield Verdict.COMPATIBLE, name, "no longer crosses under this name", COMMIT
    for name in sorted(set(_gone(new, old, "$defs")) - told):
        yield Verdict.COMPATIBLE, name, "is a new value", COMMIT


def _gone(old: Snapshot, new: Snapshot, part: str) -> list[str]:
    return sorted(old[part].keys() - new[part].keys())


def _both(old: Snapshot, new: Snapshot, part: str) -> list[str]:
    return sorted(old[part].keys() & new[part].keys())
