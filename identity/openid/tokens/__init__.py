"""Tokens as they are written, kept, read again, and held to a key; and who shows one."""
