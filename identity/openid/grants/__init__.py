"""Sign-ins to applications, and what may be done with them: codes, devices, refreshing, exchange, their end."""
