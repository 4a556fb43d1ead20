"""`python -m xsparks.cli` does what `xsparks` does."""

from . import main

if __name__ == "__main__":
    raise SystemExit(main())
