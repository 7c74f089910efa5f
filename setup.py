"""Puts the folder configs, which lies beside the package, into the installed package."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithConfigs(build_py):
    """Copies configs to nip/configs; an installation in development mode uses the original."""

    def run(self) -> None:
        """Build the package, and copy the folder."""
        super().run()
        if not self.editable_mode:
            shutil.copytree("configs", Path(self.build_lib) / "nip/configs", dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithConfigs})
