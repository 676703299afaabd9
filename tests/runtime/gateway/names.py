"""A name server that knows one name: what Kubernetes' would say of a headless service, as a test changes it."""

from __future__ import annotations

import socket
import struct
import threading


class Names:
    """UDP on loopback. ``addresses`` may be changed at any time; none at all is answered with NXDOMAIN."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            query, client = self._socket.recvfrom(4096)
            if not query:
                return
            self._socket.sendto(self._answer(query), client)

    def _answer(self, query: bytes) -> bytes:
        """RFC 1035, 4.1: the question again, and an A record of one second's life for each address."""
        end = query.index(b"\0", 12) + 5
        kind = struct.unpack(">H", query[end - 4 : end - 2])[0]
        found = self.addresses if kind == 1 else ()
        code = 0x8183 if not self.addresses else 0x8180
        head = query[:2] + struct.pack(">HHHHH", code, 1, len(found), 0, 0)
        records = (b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 1, 4) + socket.inet_aton(address) for address in found)
        return head + query[12:end] + b"".join(records)
