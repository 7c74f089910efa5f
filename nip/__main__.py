"""``python -m nip`` does what ``nip`` does."""

import sys

from nip.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
