"""Size of the response trees of a trainer: how often each round is played."""

from nip.errors import ParameterError
from nip.parameters import HyperParameters
from nip.parameters.specs import trainer_specs
from nip.run_store import RolloutPhase
from nip.scenario_base.text.episode_rules import EpisodeRules

TREE_GROUP = "pure_text_malt"
"""Group of parameters of the trainers that sample trees."""

MAX_LEAVES = 2**20
"""Most dialogues that a tree may have."""


def samples_trees(hyper_params: HyperParameters) -> bool:
    """Tell whether the trainer samples a tree of dialogues for each training rollout."""
    return trainer_specs[hyper_params.trainer].parameter_group == TREE_GROUP


def num_responses(hyper_params: HyperParameters, phase: RolloutPhase) -> int:
    """Return the number of responses at each decision point; 1 if there is no tree, as in tests."""
    if phase == "test" or not samples_trees(hyper_params):
        return 1
    responses: int = hyper_params.pure_text_malt.num_responses_per_timestep
    return responses


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
            f"{TREE_GROUP}.num_responses_per_timestep={responses} leads to up to {most} dialogues "
            f"for each datapoint, but there may be at most {MAX_LEAVES}. Lower it, or the number "
            "of rounds of the protocol."
        )
    return most


def calls_by_round(episode: EpisodeRules, agent: str, seed: int, responses: int) -> dict[int, int]:
    """Return the most messages of an agent in each round in which it is asked."""
    return {
        round: num_nodes(episode, round, seed, responses) for round in episode.turns(agent, seed)
    }


def most_pairs(episode: EpisodeRules, agent: str, responses: int) -> int:
    """Return the most pairs of an agent in a tree: one for each point at which it is asked."""
    return max(
        sum(calls_by_round(episode, agent, variant, responses).values()) // responses
        for variant in range(episode.protocol.num_variants)
    )
