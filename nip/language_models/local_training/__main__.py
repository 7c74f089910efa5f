"""Worker of a folder of jobs: ``python -m nip.language_models.local_training FOLDER``."""

import sys
from pathlib import Path

from nip.language_models.local_training.worker import work

if __name__ == "__main__":
    sys.exit(work(Path(sys.argv[1])))
