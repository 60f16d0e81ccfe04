"""The cost model: what an environment costs a month, line by line, and why."""
