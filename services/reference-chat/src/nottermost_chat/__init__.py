"""The reference chat: gateway, ingest, fan-out, API and workers in one package.

`docs/architecture.md` shows how they fit; `bootstrap.py` puts them together.
"""
