"""`nottermost chat bench`: the chat's speed and memory, each beside a reference measured in the same run."""
