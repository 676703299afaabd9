"""What happens to a request at the door, in this order; configuration.py has the rest of the file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from runtime.gateway.problems import problem_file
from runtime.gateway.site import Group, Session, Site, Tokens
from runtime.http.counters import Limit
from runtime.http.guard import HEADERS

__all__ = ["public_door"]

_FIRST_CHECKS = 5
"""Seconds after which every server was asked once: the questions are spread over one, an answer may take three."""

_PROXIES = 3
"""How many of our own proxies may stand in front, one behind the other."""

_LINE = {
    "timestamp": "%[var(txn.at)]",
    "level": "info",
    "logger": "gateway",
    "message": "request",
    "method": "%HM",
    "path": "%[var(txn.shown),json(utf8s)]",
    "status": "%ST",
    "ms": "%Ta",
    "phases": {"receive": "%TR", "queue": "%Tw", "connect": "%Tc", "answer": "%Tr"},
    "group": "%[var(txn.group)]",
    "server": "%s",
    "retries": "%rc",
    "ended": "%ts",
    "client": "%[src]",
    "principal": "%[var(txn.user)]",
    "request_id": "%[var(txn.request_id),json(utf8s)]",
    "trace_id": "%[var(txn.traceparent),field(2,-)]",
}
"""The request log. No query string: it may hold what is personal. The numbers among these are milliseconds."""

_NUMBERS = frozenset({"%ST", "%Ta", "%TR", "%Tw", "%Tc", "%Tr"})

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def public_door(site: Site) -> str:
    """The frontend's section."""
    parts = (
        _opening(site),
        _origin(site),
        _identifiers(),
        _forged_headers(),
        _address(site.groups),
        _token(site.tokens, site.keys),
        _limits(site),
        _health(site.groups),
        _refusals(site),
        _passing_on(site),
        _every_answer(site),
    )
    return "frontend public\n" + "\n".join("\n".join(f"    {line}" for line in part) + "\n" for part in parts)


def _opening(site: Site) -> Iterator[str]:
    # Mapped IPv4 addresses would all be in one /64.
    yield f"bind {site.bind}{' v6only' if site.bind.startswith('[') else ''}"
    line = json.dumps(_LINE)
    for number in _NUMBERS:
        line = line.replace(f'"{number}"', number)
    yield f"log-format '{line}'"


def _origin(site: Site) -> Iterator[str]:
    yield "# Who asks: the connection's other end, or whom our own proxies name, the rightmost that is none of them."
    if site.trusted_proxies:
        ours = f"{{ src {' '.join(site.trusted_proxies)} }}"
        yield f"http-request set-var(txn.proto) req.hdr(x-forwarded-proto,-1),lower if {ours}"
        readable = ""
        for position in range(1, _PROXIES + 1):
            address = f"req.hdr_ip(x-forwarded-for,-{position})"
            # Left of what is no address stands nothing that could be believed.
            yield f"http-request set-src {address} if {ours}{readable}"
            readable += f" {{ {address} -m found }}"
    yield "http-request set-var(txn.now) date"
    yield "http-request set-var(txn.at) date,utime('%Y-%m-%dT%H:%M:%S+00:00')"


def _identifiers() -> Iterator[str]:
    yield "# An id of the caller's is kept where it is sane; a trace goes on or begins here."
    given = "req.fhdr(x-request-id)"
    yield f"http-request set-var(txn.request_id) {given} if {{ {given} -m reg ^[!-~]{{1,128}}$ }}"
    yield "http-request set-var(txn.request_id) uuid if !{ var(txn.request_id) -m found }"
    yield "http-request set-header X-Request-Id %[var(txn.request_id)]"
    sane = "^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$"
    yield f"http-request set-var(txn.traceparent) req.fhdr(traceparent) if {{ req.fhdr(traceparent) -m reg '{sane}' }}"
    made = "00-%[uuid,regsub(-,,g)]-%[uuid,regsub(-,,g),bytes(0,16)]-01"
    yield f"http-request set-var-fmt(txn.traceparent) '{made}' if !{{ var(txn.traceparent) -m found }}"
    yield "http-request set-header traceparent %[var(txn.traceparent)]"


def _forged_headers() -> Iterator[str]:
    yield "# What only we may say about a request. Names with anything but letters, digits and - are gone already."
    for begins in ("x-user", "x-forwarded", "x-real-ip", "x-original", "x-rewrite", "call-"):
        yield f"http-request del-header {begins} -m beg"
    for name in ("forwarded", "proxy"):
        yield f"http-request del-header {name}"
    yield "http-request set-header X-Forwarded-For %[src]"
    yield "http-request set-header X-Forwarded-Proto https if { var(txn.proto) -m str https }"


def _address(groups: Sequence[Group]) -> Iterator[str]:
    yield "# The address, decoded once, as the processes decode it; txn.where has a / at its end, so that a part of it"
    yield "# is a whole part. What could be read in two ways leads nowhere."
    yield "http-request set-var(txn.shown) path,bytes(0,2048)"
    # HAProxy puts a backslash before each slash, as JSON allows and nobody else does.
    yield r"""http-request set-var(txn.instance) path,json(utf8s),regsub("'[\\\\]/'",/,g)"""
    refused = _refusal("method_not_allowed", 405, {"Allow": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"})
    yield f"{refused} if {{ method TRACE CONNECT }}"
    yield f"{_refusal('unusable_text', 400)} if {{ path -m sub %00 }}"
    yield "http-request set-var(txn.path) path,url_dec unless { path -m reg -i %(2f|5c|25) }"
    yield "http-request unset-var(txn.path) if { var(txn.path) -m sub // ; \\\\ }"
    yield "http-request set-var(txn.where) var(txn.path),concat(/)"
    yield "http-request unset-var(txn.where) if { var(txn.where) -m sub /./ /../ }"
    yield "http-request set-var(txn.domain) var(txn.where),map_beg(maps/domains.map)"
    yield "http-request set-var(txn.group) var(txn.domain),map_str(maps/groups.map)"
    yield "# Where nobody of the group is ready, another one may know what to say."
    elsewhere = "{ var(txn.where),map_beg(maps/elsewhere.map) -m str yes }"
    away = "{ var(txn.group),regsub(\\+,.,g),nbsrv lt 1 }"
    for group in groups:
        ready = f"{{ nbsrv({group.name.replace('+', '.')}) ge 1 }}"
        yield f"http-request set-var(txn.group) str({group.name}) if {elsewhere} {away} {ready}"


def _token(tokens: Tokens, keys: Iterable[str]) -> Iterator[str]:
    yield "# A good token is RS256 by a key of ours, in time, from us, for us, and for access; nothing in it says where"
    yield "# a key is. One Authorization header, or none."
    yield "http-request set-var(txn.given) bool(true) if { req.fhdr(authorization),length gt 0 }"
    compact = r"^bearer\ +[a-z0-9_-]+\.[a-z0-9_-]+\.[a-z0-9_-]+$"
    one = "{ req.fhdr_cnt(authorization) eq 1 }"
    bearer = f"{{ req.fhdr(authorization) -m reg -i {compact} }}"
    yield f"http-request set-var(txn.token) req.fhdr(authorization),word(2,' ') if {one} {bearer}"
    yield "http-request set-var(txn.kid) var(txn.token),jwt_header_query('$.kid')"
    for kid in sorted(keys):
        # One key id in 64 begins with a dash.
        named = f"{{ var(txn.kid) -m str -- {kid} }} {{ var(txn.token),jwt_header_query('$.alg') -m str RS256 }}"
        signed = f"{{ var(txn.token),jwt_verify(RS256,keys/{kid}.pem) eq 1 }}"
        yield f"http-request set-var(txn.signed) bool(true) if {named} {signed}"
    for variable, claim, change in (("fresh", "exp", "add"), ("early", "iat", "sub")):
        number = f"jwt_payload_query('$.{claim}','int'),{change}({tokens.leeway}),sub(txn.now)"
        yield f"http-request set-var(txn.{variable}) var(txn.token),{number}"
    says = {"iss": f"-m str -- {tokens.issuer}", "aud": f"-m str -- {tokens.audience}", "token_type": "-m str access"}
    says |= {"jti": "-m found", "sub": f"-m reg ^{_UUID}$"}
    claims = " ".join(f"{{ var(txn.token),jwt_payload_query('$.{name}') {how} }}" for name, how in says.items())
    good = f"{{ var(txn.signed) -m bool }} {{ var(txn.fresh) -m int gt 0 }} {{ var(txn.early) -m int le 0 }} {claims}"
    yield f"http-request set-var(txn.user) var(txn.token),jwt_payload_query('$.sub') if {good}"


def _limits(site: Site) -> Iterator[str]:
    yield "# Windows that begin with their first request, as the processes' own."
    if site.limits.exempt:
        yield f"http-request set-var(txn.exempt) bool(true) if {_below(site.limits.exempt)}"
    if site.limits.anonymous:
        nobody = "!{ var(txn.exempt) -m bool } !{ var(txn.user) -m found }"
        visits = _visits(site.session)
        if visits:
            yield f"http-request set-var(txn.visitor) bool(true) if {nobody} {visits}"
        yield f"http-request track-sc0 src,ipmask(32,64) table limit_anonymous if {nobody}"
        yield from _window(0, "anonymous", site.limits.anonymous)
    if site.limits.user:
        somebody = "!{ var(txn.exempt) -m bool } { var(txn.user) -m found }"
        if site.limits.uncounted_roles:
            roles = "|".join(site.limits.uncounted_roles)
            # A list is nothing that jwt_payload_query could give. What is signed was signed by us.
            named = rf'"roles"\s*:\s*\[[^]]*"({roles})"'
            somebody += f" !{{ var(txn.token),field(2,.),ub64dec -m reg '{named}' }}"
        yield f"http-request track-sc1 var(txn.user) table limit_user if {somebody}"
        yield from _window(1, "user", site.limits.user)
    refused = _refusal("rate_limited", 429, {"Retry-After": "%[var(txn.left)]"})
    yield f"{refused} if {{ var(txn.over) -m bool }}"


def _window(counter: int, name: str, limit: Limit) -> Iterator[str]:
    """A visitor is counted when the answer says that the cookie is none of ours: only looked at here."""
    tracked, over = f"{{ sc_tracked({counter}) -m bool }}", "{ var(txn.left) -m int le 0 }"
    visitor = "{ var(txn.visitor) -m bool }"
    yield f"http-request set-var(txn.left) sc_get_gpt0({counter}),add({limit.seconds}),sub(txn.now) if {tracked}"
    yield f"http-request sc-set-gpt0({counter}) var(txn.now) if {tracked} {over}"
    for which in (0, 1):
        yield f"http-request set-var(txn.cleared) sc_clr_gpc{which}({counter}) if {tracked} {over}"
    yield f"http-request set-var(txn.left) int({limit.seconds}) if {tracked} {over}"
    yield f"http-request set-var(txn.used) sc_get_gpc1({counter}) if {tracked} {visitor}"
    yield f"http-request set-var(txn.used) sc_inc_gpc0({counter}) if {tracked} !{visitor}"
    yield f"http-request set-var(txn.policy) str({name}) if {tracked} !{visitor}"
    yield f"http-request set-var(txn.remaining) int({limit.quota}),sub(txn.used) if {tracked}"
    yield f"http-request set-var(txn.over) bool(true) if {tracked} {{ var(txn.remaining) -m int lt 0 }}"
    yield f"http-request set-var(txn.remaining) int(0) if {tracked} {{ var(txn.remaining) -m int lt 0 }}"


def _visits(session: Session | None) -> str:
    return f"{_below([session.path])} {{ req.cook({session.cookie}) -m found }}" if session else ""


def _health(groups: Sequence[Group]) -> Iterator[str]:
    yield "# This process lives if it answers at all; it is ready when each group has a server that said it is."
    asked = "{ var(txn.path) -m str /health /health/live /health/ready }"
    # A probe comes every second.
    yield f"http-request set-log-level silent if {asked}"
    told = "content-type application/json hdr Cache-Control no-store"
    yield f"{_refusal('method_not_allowed', 405, {'Allow': 'GET, HEAD'})} if {asked} !{{ method GET HEAD }}"
    alive = '{"status": "healthy", "timestamp": "%[var(txn.at)]", "checks": {}}'
    yield f"http-request return status 200 {told} lf-string '{alive}' if {{ var(txn.path) -m str /health/live }}"
    yield f"http-request set-var(txn.status) str(healthy) if {asked}"
    early = f"{{ date,sub(proc.started) lt {_FIRST_CHECKS} }}"
    checks = []
    for number, group in enumerate(groups):
        variable, away = f"txn.check{number}", f"{{ nbsrv({group.name.replace('+', '.')}) lt 1 }}"
        yield f"http-request set-var-fmt({variable}) '{_check()}' if {asked}"
        for condition, error in ((early, "Nobody was asked yet."), (away, "No process is ready.")):
            yield f"http-request set-var-fmt({variable}) '{_check(error)}' if {asked} {condition}"
            yield f"http-request set-var(txn.status) str(unhealthy) if {asked} {condition}"
        checks.append(f'"{group.name}": %[var({variable})]')
    body = f'{{"status": "%[var(txn.status)]", "timestamp": "%[var(txn.at)]", "checks": {{{", ".join(checks)}}}}}'
    yield f"http-request return status 200 {told} lf-string '{body}' if {asked} {{ var(txn.status) -m str healthy }}"
    yield f"http-request return status 503 {told} lf-string '{body}' if {asked}"


def _check(error: str = "") -> str:
    """Servers are asked once a second and not now: it takes no time."""
    said = {"status": "unhealthy" if error else "healthy", "duration": "0ms"}
    return json.dumps({**said, "error": error} if error else said)


def _refusals(site: Site) -> Iterator[str]:
    yield "# What leads nowhere, then who is not who they say."
    yield f"{_refusal('not_found', 404)} unless {{ var(txn.group) -m found }}"
    challenge = {"WWW-Authenticate": 'Bearer realm="mitosis", error="invalid_token"'}
    bad = "{ var(txn.given) -m bool } !{ var(txn.user) -m found }"
    if site.tokens.checked:
        where = _below(site.tokens.checked) + (f" !{_below(site.tokens.unchecked)}" if site.tokens.unchecked else "")
        yield f"{_refusal('invalid_token', 401, challenge)} if {bad} {where}"


def _passing_on(site: Site) -> Iterator[str]:
    yield "http-request set-header X-User-Id %[var(txn.user)] if { var(txn.user) -m found }"
    yield "use_backend %[var(txn.group),regsub(\\+,.,g)]"
    if site.session and site.limits.anonymous:
        ended = f"{{ res.hdr(set-cookie) -m reg '^{site.session.cookie}=(\"\")?;' }}"
        yield f"http-response sc-inc-gpc1(0) if {{ var(txn.visitor) -m bool }} {ended}"


def _every_answer(site: Site) -> Iterator[str]:
    yield "# On every answer, whoever gave it."
    limited = "if { var(txn.policy) -m found }"
    for name, limit in (("anonymous", site.limits.anonymous), ("user", site.limits.user)):
        if limit:
            words = f'"{name}";q={limit.quota};w={limit.seconds}'
            yield f"http-after-response set-header RateLimit-Policy '{words}' if {{ var(txn.policy) -m str {name} }}"
    stands = '"%[var(txn.policy)]";r=%[var(txn.remaining)];t=%[var(txn.left)]'
    yield f"http-after-response set-header RateLimit '{stands}' {limited}"
    for name, variable in (("X-Request-Id", "request_id"), ("traceparent", "traceparent")):
        missing = f"{{ var(txn.{variable}) -m found }} !{{ res.fhdr({name.lower()}) -m found }}"
        yield f"http-after-response set-header {name} %[var(txn.{variable})] if {missing}"
    for name, value in HEADERS.items():
        yield f'http-after-response set-header {name} "{value}" unless {{ res.fhdr({name.lower()}) -m found }}'


def _below(paths: Iterable[str]) -> str:
    return f"{{ var(txn.where) -m beg {' '.join(f'{path}/' for path in paths)} }}"


def _refusal(code: str, status: int, headers: dict[str, str] | None = None) -> str:
    told = "".join(f" hdr {name} '{value}'" for name, value in (headers or {}).items())
    return (
        f"http-request return status {status} content-type application/problem+json lf-file {problem_file(code)}{told}"
    )
