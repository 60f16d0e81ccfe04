"""The platform as code: Pulumi programs, and the graph of what they declare."""
