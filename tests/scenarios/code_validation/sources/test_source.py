"""A dataset name selects its registered source, or else the one for folders and files."""

from nip.scenarios.code_validation.sources.builtin import BuiltinSource
from nip.scenarios.code_validation.sources.folders import FolderSource
from nip.scenarios.code_validation.sources.hub import AppsSource
from nip.scenarios.code_validation.sources.source import find_source


def test_a_registered_name_selects_its_source() -> None:
    assert isinstance(find_source("test", FolderSource), BuiltinSource)
    assert isinstance(find_source("codeparrot/apps", FolderSource), AppsSource)


def test_every_other_name_is_a_folder_or_file() -> None:
    assert isinstance(find_source("mine", FolderSource), FolderSource)
    assert isinstance(find_source("./test", FolderSource), FolderSource)
