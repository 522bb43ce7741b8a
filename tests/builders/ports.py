"""Ports for servers that tests start."""

import os
import socket


def three_free_ports() -> int:
    """The first of three in a row, where no other worker of this run begins to look."""
    for first in range(20_000 + os.getpid() % 20_000, 60_000, 7):
        probes = [socket.socket() for _ in range(3)]
        try:
            for offset, probe in enumerate(probes):
                probe.bind(("127.0.0.1", first + offset))
        except OSError:
            continue
        finally:
            for probe in probes:
                probe.close()
        return first
    raise AssertionError("no free ports")
