"""The stacks: each module is a program on one screen, its settings, its outputs and what it requires."""
