"""`python -m minigen.cli` is `minigen`."""

import sys

from minigen.cli import main

sys.exit(main())
