"""The token endpoint: who asks, by which type of grant, and what is recorded of it."""
