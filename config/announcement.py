"""What this web server has Consul told of itself."""

from __future__ import annotations

from config.environment import BadSetting, Environment
from runtime.discovery.announcing import Announcement
from runtime.discovery.consul import Consul


def announcement_of(environment: Environment) -> Announcement | None:
    """
    What Consul is told of this web server, None where discovery is another. Raises BadSetting where nobody could
    call it.
    """
    services = environment.services
    if services.discovery != "consul":
        return None
    if not services.inside_host or not environment.inside_port:
        name = "INSIDE_PORT" if services.inside_host else "INSIDE_HOST"
        raise BadSetting(name, "", "with DISCOVERY=consul it says where other services reach this one")
    return Announcement(
        Consul(services.consul_url, token=services.consul_token),
        domains=environment.hosted_domains,
        host=services.inside_host,
        port=environment.inside_port,
        folder=environment.state_dir,
    )
