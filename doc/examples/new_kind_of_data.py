"""A scenario of lists of numbers, without tensors and texts, and a trainer of tables for it.

A list is sorted (label 0) or descends somewhere (label 1). The prover sees the list and names a
position; the verifier sees only the two numbers there, and decides. Every agent is a table of
preferences, trained by REINFORCE in plain Python.
"""

import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nip.parameters import BaseAgentParameters, register_parameter_class
from nip.protocols import ProtocolHandler
from nip.scenario_base.custom_scenario import CustomScenario
from nip.scenario_base.registry import register_scenario
from nip.scenario_instance import ScenarioInstance
from nip.seeding import stable_seed
from nip.trainers.core.progress import IterationContext, attach_progress_bar
from nip.trainers.registry import register_trainer
from nip.trainers.trainer_base import Trainer

NUM_POSITIONS = 4


@register_parameter_class
@dataclass
class TableAgentParameters(BaseAgentParameters):
    """Parameters of an agent that is a table."""

    learning_rate: float = 0.5
    """Learning rate of the preferences."""


@dataclass
class TableAgent:
    """Preferences for each action in each situation."""

    num_actions: int
    learning_rate: float
    preferences: dict[str, list[float]] = field(default_factory=dict)

    def probabilities(self, situation: str) -> list[float]:
        """Return the softmax of the preferences."""
        row = self.preferences.setdefault(situation, [0.0] * self.num_actions)
        weights = [math.exp(each - max(row)) for each in row]
        return [weight / sum(weights) for weight in weights]

    def learn(self, situation: str, action: int, reward: float) -> None:
        """Make one step of REINFORCE."""
        for other, probability in enumerate(self.probabilities(situation)):
            gradient = (other == action) - probability
            self.preferences[situation][other] += self.learning_rate * reward * gradient


def descent_of(numbers: list[int]) -> int | None:
    """Return the first position at which a list descends; None if it is sorted."""
    pairs = enumerate(itertools.pairwise(numbers))
    return next((place for place, (one, two) in pairs if one > two), None)


@register_scenario(
    "lists", agent_parameters=TableAgentParameters, builtin_datasets=("short_lists",)
)
class ListScenario(CustomScenario):
    """Decide whether a list is sorted."""

    data = "lists"

    def build_instance(self, protocol: ProtocolHandler) -> ScenarioInstance:
        """Draw the lists, and build a table for each agent."""
        return ScenarioInstance(
            protocol_handler=protocol,
            scenario=self,
            train_dataset=self._draw("train"),
            test_dataset=self._draw("test"),
            agents={name: self._agent(name, protocol) for name in protocol.agent_names},
        )

    def _agent(self, name: str, protocol: ProtocolHandler) -> TableAgent:
        num_actions = 2 if name in protocol.verifier_names else NUM_POSITIONS
        return TableAgent(num_actions, self.hyper_params.agents[name].learning_rate)

    def _draw(self, split: str) -> list[list[int]]:
        generator = random.Random(stable_seed(self.hyper_params.seed, "lists", split))
        lists = []
        for number in range(64):
            numbers = sorted(generator.sample(range(100), NUM_POSITIONS + 1))
            if number % 2 == 1:
                place = generator.randrange(NUM_POSITIONS)
                numbers[place], numbers[place + 1] = numbers[place + 1], numbers[place]
            lists.append(numbers)
        return lists


@register_trainer("table_reinforce")
class TableTrainer(Trainer):
    """Train tables by REINFORCE, one pass over the lists in each iteration."""

    data = "lists"

    def train(self) -> None:
        """Restore an interrupted run, train, and test."""
        self.generator = random.Random(stable_seed(self.hyper_params.seed, "actions"))
        self.restore()
        self._run_train_loop()
        self._run_test_loop()

    @attach_progress_bar(lambda self: self.hyper_params.rl.num_iterations)
    def _run_train_loop(self, iteration_context: IterationContext) -> None:
        iteration_context.set_description("Training")
        for iteration in iteration_context:
            lists = self.scenario_instance.train_dataset
            right = [self._play(numbers, self.generator, learns=True) for numbers in lists]
            metrics = {"mean_accuracy": sum(right) / len(right)}
            self.log(iteration + 1, metrics)
            iteration_context.set_metrics(metrics)

    @attach_progress_bar(lambda _: 1)
    def _run_test_loop(self, iteration_context: IterationContext) -> None:
        iteration_context.set_description("Testing")
        self.log(self.context.iteration, self.evaluate("test"))
        iteration_context.step()

    def _evaluate(self, split: str, on_batch: Callable[[], object]) -> dict[str, float]:
        """Play with random numbers of its own, so that evaluations do not influence training."""
        generator = random.Random(stable_seed(self.hyper_params.seed, "evaluate", split))
        lists = getattr(self.scenario_instance, f"{split}_dataset")
        right = [self._play(numbers, generator, learns=False) for numbers in lists]
        on_batch()
        return {"mean_accuracy": sum(right) / len(right)}

    def _play(self, numbers: list[int], generator: random.Random, *, learns: bool) -> bool:
        """Play one episode; return whether the verifier was right."""
        protocol = self.protocol_handler
        prover, verifier = (self.agents[name] for name in protocol.agent_names)
        descent = descent_of(numbers)
        label = int(descent is not None)
        place = self._choose(prover, f"descent at {descent}", generator)
        sight = "descends" if numbers[place] > numbers[place + 1] else "ascends"
        decision = self._choose(verifier, sight, generator)
        if learns:
            rewards = protocol.decided_reward[:, label, decision].tolist()
            prover.learn(f"descent at {descent}", place, rewards[0])
            verifier.learn(sight, decision, rewards[1])
        return decision == label

    @staticmethod
    def _choose(agent: TableAgent, situation: str, generator: random.Random) -> int:
        chances = agent.probabilities(situation)
        return generator.choices(range(len(chances)), chances)[0]

    def state_dict(self) -> dict[str, Any]:
        """Return the tables and the state of the generator, as JSON can hold them."""
        version, words, gauss = self.generator.getstate()
        tables = {name: agent.preferences for name, agent in self.agents.items()}
        generator = {"version": version, "words": list(words), "gauss": gauss}
        return {**super().state_dict(), "tables": tables, "generator": generator}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load what ``state_dict`` returned."""
        super().load_state_dict(state)
        for name, agent in self.agents.items():
            agent.preferences = {key: list(row) for key, row in state["tables"][name].items()}
        generator = state["generator"]
        words = tuple(generator["words"])
        self.generator.setstate((generator["version"], words, generator["gauss"]))
