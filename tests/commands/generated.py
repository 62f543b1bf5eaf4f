"""What the tests' services say of themselves, for the generators."""

from __future__ import annotations

from typing import Any

import msgspec

from sidecar.streams.describe import describe_service
from tests.peers.service import make

DIGEST = "0123456789abcdef"


def described(*names: str) -> dict[str, Any]:
    """`describe` of these services, or of all."""
    services = [one for one in make().services.values() if not names or one.name in names]
    return {"methods_digest": DIGEST, "services": [msgspec.to_builtins(describe_service(one)) for one in services]}
