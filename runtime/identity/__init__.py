"""
Who is calling: tokens are signed by one service, verified by all, and say what somebody may do.

``from runtime.identity import Anyone, Principal, Requires, SignedIn, caller, principal_of``
"""

from runtime.identity.permissions import Anyone, Requires, SignedIn
from runtime.identity.principal import Principal, caller, principal_of

__all__ = ["Anyone", "Principal", "Requires", "SignedIn", "caller", "principal_of"]
