"""
The description as HAProxy reads it: haproxy.cfg and the files that it names, for HAProxy 2.6 and later.

Every path in it is relative to haproxy.cfg (``default-path``), so the folder may be mounted anywhere.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator

from runtime.gateway import problems
from runtime.gateway.door import public_door
from runtime.gateway.site import DnsName, Group, Site

__all__ = ["MAIN_FILE", "render"]

MAIN_FILE = "haproxy.cfg"

_GLOBAL = """\
# Written by manage.py gateway_config: change the topology or the settings, not this file.

global
    default-path config
    # One thread counts exactly, and carries some thousand requests a second: the processes behind are slower.
    nbthread 1
    # With no limit on open files HAProxy would ask for memory for a thousand million of them.
    fd-hard-limit 16384
    # After a reload the old process ends when its last request has, and then in any case.
    hard-stop-after 90s
    log stdout len 32768 format raw local0 info
    # Until every server was asked once, HAProxy takes it to be alive.
    set-var proc.started date
    localpeer gateway

# When this is reloaded, the new process asks the old one how often each client has been here.
peers kept
    peer gateway abns@{peers}
"""

_DEFAULTS = """\
defaults
    mode http
    log global
    # A connection that sends nothing (a port that is probed, a browser that thinks ahead) is no request.
    option dontlognull
    # A kept connection may be closed by a process that is being restarted just when a POST is written to it, and a POST
    # is not sent a second time: so each request has a connection of its own to the process. Clients keep theirs.
    option http-server-close
    # And no kept connection of a client's is closed under a request of his, when this is reloaded.
    option idle-close-on-response
    # X_User_Id would become X-User-Id for whoever maps both to HTTP_X_USER_ID.
    option http-restrict-req-hdr-names delete
    # The headers of a request: whoever drips them holds a connection no longer.
    timeout http-request 10s
    # Between two requests of a client.
    timeout http-keep-alive 60s
    # Between two pieces of a body, either way.
    timeout client 30s
    # A process is near: one lost packet is sent again after a second.
    timeout connect 2s
    # For a server that has as many requests as it may: better a 503 now than a late answer.
    timeout queue 5s
    # Longer than any view waits for a neighbour or a provider.
    timeout server {answer_within}s
    timeout check 3s
    # A refused connection has carried nothing: any request is sent again, to another server where there is one. What
    # was sent and not answered is sent again only where a backend does not switch that off.
    retries 3
    option redispatch 1
    retry-on conn-failure empty-response
"""

_RESOLVERS = """\
resolvers names
    {servers}
    accepted_payload_size 8192
    timeout resolve 1s
    timeout retry 1s
    # An answer holds for so long; a server whose address has gone from it is not asked after the next.
    hold valid 2s
    hold obsolete 2s
    # Names that cannot be asked about keep the addresses they had.
    hold timeout 1h
    hold refused 1h
    hold other 1h
    hold nx 10s
"""

_BACKEND = """\
backend {name}
    # The fewest waiting: a slow server gets less.
    balance leastconn
    option httpchk
    http-check send meth GET uri /health/ready hdr Host gateway hdr User-Agent mitosis-gateway
    http-check expect status 200
    # Only what changes nothing is sent twice.
    http-request disable-l7-retry unless {{ method GET HEAD }}
    # maxconn: a group that stalls holds so many of this gateway's connections, and no more.
    default-server check inter 1s fastinter 500ms fall 2 rise 1 maxconn 256
{servers}
"""

_METRICS = """\
frontend metrics
    bind {bind}
    no log
    http-request use-service prometheus-exporter if {{ path /metrics }}
    http-request return status 404
"""


def render(site: Site) -> dict[str, str]:
    """Every file's text by its name below the folder. The same description gives the same text."""
    resolvers = [_resolvers(site)] if any(isinstance(group.servers, DnsName) for group in site.groups) else []
    sections = [
        _GLOBAL.format(peers=_peers(site)),
        _DEFAULTS.format(answer_within=site.answer_within) + "".join(_error_answers()),
        *resolvers,
        public_door(site),
        *_tables(site),
        *(_backend(group) for group in site.groups),
        *([_METRICS.format(bind=site.metrics)] if site.metrics else []),
    ]
    return {
        MAIN_FILE: "\n".join(sections),
        "maps/domains.map": _map((f"{route.path}/", route.domain) for route in site.routes),
        "maps/elsewhere.map": _map((f"{route.path}/", "yes" if route.elsewhere else "no") for route in site.routes),
        "maps/groups.map": _map((domain, group.name) for group in site.groups for domain in group.domains),
        **{f"keys/{kid}.pem": pem for kid, pem in sorted(site.keys.items())},
        **problems.files(),
    }


def backend_name(group: Group) -> str:
    """HAProxy allows no plus in a name: ``users.inventory``."""
    return group.name.replace("+", ".")


def _peers(site: Site) -> str:
    """A socket without a file, named for the folder: two gateways of one machine must not count for each other."""
    return f"mitosis-{hashlib.sha256(str(site.folder.resolve()).encode()).hexdigest()[:16]}"


def _error_answers() -> Iterator[str]:
    for status, code in problems.BY_HAPROXY.items():
        retry = f" hdr Retry-After {problems.RETRY_SECONDS}" if status == 503 else ""
        file = problems.problem_file(code)
        yield f"    http-error status {status} content-type application/problem+json lf-file {file}{retry}\n"


def _resolvers(site: Site) -> str:
    asked = [f"nameserver n{number} {server}" for number, server in enumerate(site.nameservers)]
    return _RESOLVERS.format(servers="\n    ".join(asked or ["parse-resolv-conf"]))


def _backend(group: Group) -> str:
    return _BACKEND.format(name=backend_name(group), servers="\n".join(f"    {line}" for line in _servers(group)))


def _servers(group: Group) -> Iterator[str]:
    if isinstance(group.servers, DnsName):
        found = group.servers
        # It starts without addresses and takes them as they come.
        yield f"server-template s {found.at_most} {found.name}:{found.port} resolvers names init-addr none"
        return
    for number, server in enumerate(group.servers, 1):
        # A host name that cannot be resolved yet must not keep everything else from starting.
        named = "" if re.fullmatch(r"[0-9.]+|\[.*\]", server.host) else " init-addr last,libc,none"
        yield f"server s{number} {server.host}:{server.port}{named}"


def _tables(site: Site) -> Iterator[str]:
    """One counter for each client: gpc0 its requests, gpc1 its bad sessions, gpt0 when its window began (Unix time)."""
    for name, kind, limit in (
        ("limit_anonymous", "ipv6", site.limits.anonymous),
        ("limit_user", "string len 64", site.limits.user),
    ):
        if limit is not None:
            kept = f"size 200k expire {limit.seconds}s store gpc0,gpc1,gpt0 peers kept"
            yield f"backend {name}\n    stick-table type {kind} {kept}\n"


def _map(entries: Iterable[tuple[str, str]]) -> str:
    return "".join(f"{key} {value}\n" for key, value in sorted(entries))
