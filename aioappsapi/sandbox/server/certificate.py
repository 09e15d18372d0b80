"""A temporary certificate, and the file of the authority that signed it."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path
from typing import Final

_LOCAL: Final = ("127.0.0.1", "::1", "localhost")


class Certificate:
    """A certificate for this machine. Only the authority in `ca_file` has signed it.

    Raises ImportError without the package trustme.
    """

    def __init__(self, host: str) -> None:
        try:
            import trustme
        except ImportError:
            raise ImportError("TLS needs trustme: pip install 'aioappsapi[sandbox]'") from None
        authority = trustme.CA()
        own = authority.issue_cert(*dict.fromkeys((*_LOCAL, host)))
        self.server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        own.configure_cert(self.server)
        with tempfile.NamedTemporaryFile(prefix="sandbox-ca-", suffix=".pem", delete=False) as file:
            file.write(authority.cert_pem.bytes())
        self.ca_file = file.name
        self.client = ssl.create_default_context(cafile=self.ca_file)

    def close(self) -> None:
        """Remove the file. May be called again."""
        Path(self.ca_file).unlink(missing_ok=True)
