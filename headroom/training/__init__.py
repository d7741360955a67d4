"""The one training loop, and training on behalf of a method."""
