"""The `nottermost` command: one file a group, no logic; what a command needs is imported inside it."""
