"""`odd_answers`, of which nobody knows how long it takes to load: until the file GATE is there, if one is named."""

import os
import time
from pathlib import Path

from builders.odd_answers import application

__all__ = ["application"]

if gate := os.environ.get("GATE"):
    Path(gate).with_suffix(".waiting").touch()
    while not Path(gate).exists():
        time.sleep(0.02)
