"""Links in a run folder, through which writing would change files elsewhere."""

import os
from pathlib import Path

from nip.errors import ResumeError


def refuse_links_outside(folder: Path) -> None:
    """Refuse to write into a run folder in which a link leads out of it.

    A run folder may come from somebody else. A link in it, such as ``checkpoints`` or ``run.db``,
    would let this run delete and change another one. Links within the folder, as those of Weights &
    Biases, are harmless. The folder itself may be a link.

    Raises
    ------
    ResumeError
        If there is such a link.
    """
    inside = folder.resolve()
    for place, folders, files in os.walk(folder):
        for link in (Path(place, name) for name in sorted([*folders, *files])):
            # A link to itself cannot be resolved, but leads nowhere.
            target = Path(os.path.realpath(link)) if link.is_symlink() else inside
            if not target.is_relative_to(inside):
                raise ResumeError(
                    f"{link} is a link to {target}, which is outside of the folder of the run and "
                    "would be changed. Replace the link by what it leads to, or choose another "
                    "run_id."
                )
