"""`python -m bench` lists the benches, `python -m bench NAME [OPTION ...]` runs one."""

from bench.harness import main

if __name__ == "__main__":
    raise SystemExit(main())
