"""Pictures of an environment: from its graph and from the model of the chat to SVG. `gallery` has them all."""
