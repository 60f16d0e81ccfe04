"""Alembic reads this folder: nothing imports it."""
