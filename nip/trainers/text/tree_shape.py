"""Size of the response trees of a trainer: how often each round is played."""

from nip.errors import ParameterError
from nip.parameters import HyperParameters
from nip.parameters.specs import trainer_specs
from nip.parameters.trainers import ResponseTreeParameters
from nip.run_store import RolloutPhase
from nip.scenario_base.text.episode_rules import EpisodeRules

MAX_LEAVES = 2**20
"""Most dialogues that a tree may have."""


def samples_trees(hyper_params: HyperParameters) -> bool:
    """Tell whether the trainer samples a tree of dialogues for each training rollout."""
    return _tree_parameters(hyper_params) is not None


def num_responses(hyper_params: HyperParameters, phase: RolloutPhase) -> int:
    """Return the number of responses at each decision point; 1 if there is no tree, as in tests."""
    parameters = _tree_parameters(hyper_params)
    return 1 if phase == "test" or parameters is None else parameters.num_responses_per_timestep


def num_answers_of_example(hyper_params: HyperParameters) -> int:
    """Return the number of responses of which an example of a tree consists: 2 for preferences."""
    return 2 if trainer_specs[hyper_params.trainer].fine_tuning_method == "dpo" else 1


def pairs_invalid(hyper_params: HyperParameters) -> bool:
    """Return whether invalid answers are paired with responses, one more pair at each point."""
    return bool(getattr(_tree_parameters(hyper_params), "pair_invalid", False))


def _tree_parameters(hyper_params: HyperParameters) -> ResponseTreeParameters | None:
    group = trainer_specs[hyper_params.trainer].parameter_group
    parameters = None if group is None else hyper_params.get(group)
    return parameters if isinstance(parameters, ResponseTreeParameters) else None


def num_nodes(episode: EpisodeRules, round: int, seed: int, responses: int) -> int:
    """Return the most nodes of a tree after a round, given by its index from 0.

    A round in which no agent is asked has one continuation only.
    """
    asked = [past for past in range(round + 1) if episode.asked_writers(past, seed)]
    return int(responses ** len(asked))


def most_leaves(episode: EpisodeRules, responses: int) -> int:
    """Return the most leaves that a tree has.

    Raises
    ------
    ParameterError
        If they are more than ``MAX_LEAVES``.
    """
    most = max(
        num_nodes(episode, episode.last_round, variant, responses)
        for variant in range(episode.protocol.num_variants)
    )
    if most > MAX_LEAVES:
        raise ParameterError(
            f"num_responses_per_timestep={responses} leads to up to {most} dialogues "
            f"for each datapoint, but there may be at most {MAX_LEAVES}. Lower it, or the number "
            "of rounds of the protocol."
        )
    return most


def calls_by_round(episode: EpisodeRules, agent: str, seed: int, responses: int) -> dict[int, int]:
    """Return the most messages of an agent in each round in which it is asked."""
    return {
        round: num_nodes(episode, round, seed, responses) for round in episode.turns(agent, seed)
    }


def most_examples(episode: EpisodeRules, agent: str, responses: int, num_answers: int) -> int:
    """Return the most examples of an agent in a tree, each with one or two of its responses.

    With one, these are all of its responses; with two, there is a pair for each point at which it
    is asked.
    """
    most = max(
        sum(calls_by_round(episode, agent, variant, responses).values())
        for variant in range(episode.protocol.num_variants)
    )
    return most if num_answers == 1 else most // responses
