"""Worst case of the cost of a run, without repeated calls.

Every dialogue reaches its last round, every answer its token limit, and every byte of a prompt that
is not such an answer is a token. All rollouts become training examples; of response trees, each
point at which an agent is asked becomes a pair, or each response an example.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from nip.language_models.chat import TokenUsage
from nip.language_models.costs.estimate import RunCost
from nip.language_models.costs.prices import Prices
from nip.language_models.costs.worst_case import TOKENS_PER_MESSAGE, num_prompt_bytes
from nip.language_models.fine_tuning.job_cost import most_epochs
from nip.language_models.fine_tuning.registry import find_fine_tuning_backend
from nip.parameters import HyperParameters
from nip.protocols.rules import VERIFIER
from nip.scenario_base.text.conversation import Conversation
from nip.scenario_base.text.rollout import MessageRecord
from nip.scenario_instance import PureTextScenarioInstance
from nip.trainers.text.data_order import first_iteration_learnt_from
from nip.trainers.text.run_cost import CostSum, Stage, learning_groups, stages_of
from nip.trainers.text.tree_shape import (
    most_examples,
    most_leaves,
    num_answers_of_example,
    num_nodes,
    num_responses,
    pairs_invalid,
)

_SLACK_BYTES = 64
"""Difference between the prompts of one datapoint with different seeds."""


@dataclass(frozen=True)
class _Turn:
    """Bound of the prompt tokens of one turn, without those of the system prompt."""

    agent: str
    round: int
    num_tokens: int


def worst_run_cost(
    hyper_params: HyperParameters, instance: PureTextScenarioInstance, prices: Prices
) -> RunCost:
    """Return tokens and cost in the worst case, if no answer is invalid and no call is repeated."""
    costs = CostSum(hyper_params, instance, prices, takes_dearest=True)
    bounds = _Bounds(hyper_params, instance)
    groups = learning_groups(hyper_params, instance)
    tuned = {name for group in groups for name in group.agent_names}
    samples: list[Stage] = []
    for stage in stages_of(hyper_params, instance):
        if stage.phase == "judged":
            costs.add_calls(VERIFIER, bounds.judgements(stage), is_tuned=False)
            continue
        for agent in instance.agents:
            is_tuned = agent in tuned and stage.iteration > 0
            costs.add_calls(agent, bounds.calls(agent, stage), is_tuned=is_tuned)
        if stage.phase == "train" and stage.iteration < hyper_params.rl.num_iterations - 1:
            samples.append(stage)
            for group in groups:
                learners = group.learners(stage.iteration)
                costs.add_job(group.name, bounds.training(learners, samples))
    return costs.total()


class _Bounds:
    """Bounds of the tokens of dialogues, by datapoint."""

    def __init__(self, hyper_params: HyperParameters, instance: PureTextScenarioInstance) -> None:
        self._hyper_params = hyper_params
        self._instance = instance
        self._episode = instance.rules.episode
        most_leaves(self._episode, num_responses(hyper_params, "train"))
        self._limits = {name: agent.params.token_limit for name, agent in instance.agents.items()}
        variants = range(instance.protocol_handler.num_variants)
        timetables = [_turns(instance, variant) for variant in variants]
        # The turns of each agent, by variant of the timetable.
        self._turns = {
            name: [[turn for turn in turns if turn.agent == name] for turns in timetables]
            for name in instance.agents
        }
        self._system_bytes = cache(self._count_system_bytes)

    def calls(self, agent: str, stage: Stage) -> TokenUsage:
        """Return the most tokens that an agent reads and writes in a stage."""
        responses, number = num_responses(self._hyper_params, stage.phase), len(stage.requests)
        num_calls = num_tokens = 0
        for variant, turns in enumerate(self._turns[agent]):
            calls = [num_nodes(self._episode, turn.round, variant, responses) for turn in turns]
            num_calls = max(num_calls, sum(calls))
            tokens = (each * turn.num_tokens for each, turn in zip(calls, turns, strict=True))
            num_tokens = max(num_tokens, sum(tokens))
        system = sum(self._system_bytes(agent, stage.phase, row) for row in _rows(stage))
        prompt_tokens = number * num_tokens + num_calls * system
        return TokenUsage(prompt_tokens, number * num_calls * self._limits[agent])

    def judgements(self, stage: Stage) -> TokenUsage:
        """Return the most tokens of one call of the verifier about each dialogue of a stage."""
        number = len(stage.requests)
        longest = max(turn.num_tokens for turns in self._turns[VERIFIER] for turn in turns)
        system = sum(self._system_bytes(VERIFIER, "test", row) for row in _rows(stage))
        return TokenUsage(number * longest + system, number * self._limits[VERIFIER])

    def training(self, agents: Iterable[str], stages: list[Stage]) -> int:
        """Return the most tokens of a job after the last of the sampling stages so far."""
        hyper_params = self._hyper_params
        responses = num_responses(hyper_params, "train")
        num_tokens = num_examples = 0
        for agent in agents:
            last = len(stages) - 1
            first = first_iteration_learnt_from(hyper_params, self._instance.agents[agent], last)
            prompts = [turn.num_tokens for turns in self._turns[agent] for turn in turns]
            # The example of a rollout has one answer, that of a point in a tree may have a pair.
            per_rollout, num_answers = 1, 1
            if responses > 1:
                num_answers = num_answers_of_example(hyper_params)
                per_rollout = most_examples(self._episode, agent, responses, num_answers)
                per_rollout *= 1 + pairs_invalid(hyper_params)
            answers = num_answers * (self._limits[agent] + TOKENS_PER_MESSAGE)
            for stage in stages[first:] if prompts else ():
                number = len(stage.requests) * per_rollout
                system = sum(self._system_bytes(agent, stage.phase, row) for row in _rows(stage))
                num_tokens += per_rollout * system + number * (max(prompts) + answers)
                num_examples += number
        ei = hyper_params.pure_text_ei
        is_repeated = responses == 1 and _repeats(hyper_params)
        factor = ei.weighting_sample_size_factor if is_repeated else 1.0
        backend = find_fine_tuning_backend(hyper_params.fine_tuning.backend)
        fewest = max(backend.min_examples, hyper_params.fine_tuning.min_examples)
        if num_examples * max(factor, 1.0) < fewest:
            return 0
        # Agents of one group have the same number of passes.
        own = {self._instance.agents[agent].params.n_epochs for agent in agents}
        n_epochs = max(filter(None, own), default=hyper_params.fine_tuning.n_epochs)
        epochs = most_epochs(num_examples, n_epochs)
        return round(num_tokens * max(factor, 1.0) * epochs)

    def _count_system_bytes(self, agent: str, phase: str, row: int) -> int:
        instance = self._instance
        dataset = instance.train_dataset if phase == "train" else instance.test_dataset
        prompt = Conversation(instance.rules, dataset[row], 0).system_prompt(agent)
        return len(prompt.encode("utf-8", "surrogatepass")) + _SLACK_BYTES


def _rows(stage: Stage) -> Iterable[int]:
    return (request.datapoint for request in stage.requests)


def _repeats(hyper_params: HyperParameters) -> bool:
    """Tell whether a rollout can become several examples."""
    ei = hyper_params.pure_text_ei
    return ei.rollout_selection_method == "weighted_sampling" and ei.weighting_use_replacement


def _turns(instance: PureTextScenarioInstance, seed: int) -> list[_Turn]:
    """Return all turns of a dialogue that reaches its last round, with messages of full length."""
    conversation = Conversation(instance.rules, instance.train_dataset[0], seed)
    said: list[MessageRecord] = []
    turns: list[_Turn] = []
    earlier_tokens = 0
    episode = instance.rules.episode
    last = max(round for agent in instance.agents for round in (-1, *episode.turns(agent, seed)))
    for round in range(last + 1):
        writers = episode.asked_writers(round, seed)
        for agent in writers:
            messages = conversation.messages_for(agent, round, said)
            num_bytes = num_prompt_bytes(messages[1:])
            frame = TOKENS_PER_MESSAGE * (len(messages) + 1)
            turns.append(_Turn(agent, round, num_bytes + frame + earlier_tokens))
        for agent, channels in writers.items():
            said.append(MessageRecord(round, agent, "x", dict.fromkeys(channels, "x")))
            earlier_tokens += instance.agents[agent].params.token_limit
    return turns
