"""The OpenID provider: endpoints > authorization | token_endpoint > grants > tokens."""
