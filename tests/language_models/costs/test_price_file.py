from pathlib import Path

import pytest

from nip.errors import ParameterError
from nip.language_models.chat import ModelSpec
from nip.language_models.costs.price_file import read_prices
from nip.language_models.costs.prices import PUBLIC_PRICES, Price


def write(folder: Path, text: str) -> str:
    path = folder / "prices.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_prices_of_a_file_come_before_the_public_ones(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "my-model: {prompt: 0.5, completion: 1.5}\n"
        "gpt-4o-mini: {prompt: 0.1, completion: 0.3, training: 2}\n",
    )
    prices = read_prices(path)
    assert prices.get(ModelSpec("openai", "my-model")) == Price(0.5, 1.5)
    assert prices.get(ModelSpec("openai", "gpt-4o-mini-2024-07-18")) == Price(0.1, 0.3, 2.0)
    assert prices.get(ModelSpec("openai", "o1")) == PUBLIC_PRICES["o1"]


def test_without_a_file_there_are_the_public_ones() -> None:
    assert read_prices(None).get(ModelSpec("openai", "gpt-4o")) == PUBLIC_PRICES["gpt-4o"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- my-model",
        "my-model: 1.0",
        "my-model: {prompt: 1.0}",
        "my-model: {prompt: 1.0, completion: free}",
        "my-model: {prompt: 1.0, completion: -1.0}",
        "my-model: {prompt: 1.0, completion: .nan}",
        "my-model: {prompt: true, completion: 1.0}",
        "my-model: {prompt: 1.0, completion: 1.0, trainning: 1.0}",
        "7: {prompt: 1.0, completion: 1.0}",
        "my-model: {prompt: 1.0",
        "my-model: {prompt: 1.0, completion: 1.0}\nmy-model: {prompt: 9.0, completion: 9.0}",
        "my-model: {prompt: 1.0, completion: 1.0, prompt: 9.0}",
    ],
)
def test_anything_else_is_refused_by_the_name_of_the_setting(tmp_path: Path, text: str) -> None:
    with pytest.raises(ParameterError, match=r"^settings\.prices='.*prices\.yaml'"):
        read_prices(write(tmp_path, text))


def test_a_missing_file_is_reported() -> None:
    with pytest.raises(ParameterError, match="No such file"):
        read_prices("nowhere.yaml")
