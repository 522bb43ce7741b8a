"""Kill every kind of process under load, and count what was lost or doubled."""
