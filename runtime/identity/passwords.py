"""How passwords are kept: argon2id at the strength OWASP names as the least, so that a small machine can do several."""

from __future__ import annotations

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2id(Argon2PasswordHasher):
    """19 MiB, two passes, one lane (OWASP Password Storage Cheat Sheet). Django's default takes 100 MiB and 8 lanes."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
