"""gRPC between the roles: gateways and the API dial every ingest, gateways dial every fan-out.

`v1/*.proto` is the contract (ADR 0034); the rest implements the ports of `ports.py` over it.
"""
