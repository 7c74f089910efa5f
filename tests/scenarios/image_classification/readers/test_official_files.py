"""A missing file is reported with its place and its source."""

import pytest

from nip.errors import DatasetError
from nip.scenarios.image_classification.readers.official_files import (
    OFFICIAL_FILES,
    require_official_files,
)


@pytest.mark.parametrize("dataset", OFFICIAL_FILES)
def test_missing_files_are_named_with_folder_and_page(tmp_path, dataset) -> None:
    files = OFFICIAL_FILES[dataset]
    present, *missing = files.names
    if missing:
        (tmp_path / present).touch()
    else:
        missing = [present]
    with pytest.raises(DatasetError) as caught:
        require_official_files(tmp_path, dataset)
    message = str(caught.value)
    assert all(part in message for part in (*missing, str(tmp_path), files.page, files.advice))
    assert missing == [present] or present not in message


@pytest.mark.parametrize("dataset", OFFICIAL_FILES)
def test_complete_folders_are_accepted(tmp_path, dataset) -> None:
    for name in OFFICIAL_FILES[dataset].names:
        (tmp_path / name).touch()
    require_official_files(tmp_path, dataset)
