"""Playing in time: ports, clocks, and a jam that is heard while it is decided."""
