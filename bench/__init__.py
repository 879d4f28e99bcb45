"""Speed and size of the program: `python -m bench` lists the benches, `python -m bench NAME` runs one."""
