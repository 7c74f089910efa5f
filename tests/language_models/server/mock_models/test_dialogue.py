"""The mock model `dialogue` memorises what it is trained on."""

from nip.language_models.answer_rules import recall_key
from nip.language_models.chat import ChatMessage
from nip.language_models.server.mock_models.dialogue import DialogueModel
from nip.language_models.server.mock_models.mock_model import TrainingExample

QUESTION = (ChatMessage(role="user", content="The capital?"),)
OTHER = (ChatMessage(role="user", content="The weather?"),)


def test_a_later_example_replaces_an_earlier_one() -> None:
    examples = [TrainingExample(QUESTION, "Bern"), TrainingExample(QUESTION, "Oslo")]
    data = DialogueModel().train(None, examples, "supervised")
    assert data == {recall_key(QUESTION): "Oslo"}


def test_the_preferred_answer_is_memorised_and_not_the_rejected_one() -> None:
    example = TrainingExample(QUESTION, "Bern", rejected="Rome")
    assert list(DialogueModel().train(None, [example], "dpo").values()) == ["Bern"]


def test_training_leaves_the_data_of_the_base_model_as_they_were() -> None:
    base = {recall_key(QUESTION): "Bern", recall_key(OTHER): "Rain"}
    before = dict(base)
    data = DialogueModel().train(base, [TrainingExample(QUESTION, "Oslo")], "supervised")
    assert data == {recall_key(QUESTION): "Oslo", recall_key(OTHER): "Rain"}
    assert base == before
