"""gRPC between the roles: gateways and the API dial every ingest, gateways dial every fan-out.

`v1/*.proto` is the contract (ADR 0034); the rest implements the ports of `ports.py` over it.
"""

import os

# Before its first import: what we start are programs, which its handlers for a forked Python would break.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
