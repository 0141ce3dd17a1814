"""`python -m minigen`: the command `minigen`, where the installed one is not on the path."""

import sys

from minigen.cli import main

if __name__ == "__main__":
    sys.exit(main())
