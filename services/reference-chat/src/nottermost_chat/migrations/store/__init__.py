"""The schema of the PostgreSQL message store, revision by revision."""
