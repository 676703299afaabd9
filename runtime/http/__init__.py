"""
HTTP as every domain speaks it: strict bodies, RFC 9457 problems, keyset pages, idempotency keys, limits, OpenAPI.

Views are built from ``View``, ``Problem`` and ``idempotent`` here, fields from ``runtime.http.serializers``, pages from
``runtime.http.pages``.
"""
