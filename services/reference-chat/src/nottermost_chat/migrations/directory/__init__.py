"""The schema of the directory, revision by revision."""
