"""The scenario of differentiable and repeated games."""

from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from nip.errors import ParameterError
from nip.parameters import AgentParameters, HyperParameters
from nip.parameters.scenarios.matrix_games import MatrixGameAgentParameters
from nip.protocols.handler import ProtocolHandler
from nip.scenario_base.agent import Agent, RandomAgentBody
from nip.scenario_base.agents import AgentContext, PolicyHead
from nip.scenario_base.combined_agents import CombinedAgents
from nip.scenario_base.custom_scenario import CustomScenario
from nip.scenario_base.game import Game
from nip.scenario_base.normalization import ObservationNormalizer
from nip.scenario_base.registry import register_scenario
from nip.scenario_instance import GameInstance
from nip.scenarios.matrix_games.commitment import Commitment
from nip.scenarios.matrix_games.games import Chain, QuadraticStackelberg, Tandem
from nip.scenarios.matrix_games.repeated import IteratedPrisonersDilemma, MatchingPennies
from nip.seeding import stable_seed

GAMES: dict[str, Callable[[HyperParameters], Game]] = {
    "chain": lambda _: Chain(),
    "commitment": lambda _: Commitment(),
    "iterated_prisoners_dilemma": lambda params: IteratedPrisonersDilemma(params.rl.gamma),
    "matching_pennies": lambda _: MatchingPennies(),
    "quadratic_stackelberg": lambda _: QuadraticStackelberg(),
    "tandem": lambda _: Tandem(),
}
"""All games by the name of their dataset."""


class StrategyHead(PolicyHead):
    """The parameters of a player."""

    def __init__(self, context: AgentContext, num_parameters: int) -> None:
        super().__init__(context)
        params = context.params
        std = params.initial_std if isinstance(params, MatrixGameAgentParameters) else 0.0
        self.strategy = nn.Parameter(std * torch.randn(num_parameters))

    def forward(
        self, representation: Mapping[str, Tensor], observation: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Refuse: players exchange no messages."""
        raise NotImplementedError("Players of matrix games exchange no messages.")


@register_scenario("matrix_games")
class MatrixGameScenario(CustomScenario):
    """Games that are solved by hand; the agents of the protocol are the players.

    The first player is the verifier, and the provers follow.
    """

    data: ClassVar = "game"

    def build_instance(self, protocol: ProtocolHandler) -> GameInstance:
        """Build the game and its players."""
        game = GAMES[self.hyper_params.dataset](self.hyper_params)
        names = (*protocol.verifier_names, *protocol.prover_names)
        if len(names) != game.num_players or len(names) != protocol.num_agents:
            needed = "debate" if game.num_players == 3 else "nip"
            raise ParameterError(
                f"dataset={self.hyper_params.dataset!r} is a game of {game.num_players} players, "
                f"but interaction_protocol={self.hyper_params.interaction_protocol!r} has the "
                f"agents {', '.join(protocol.agent_names)}, who are its players. Choose "
                f"interaction_protocol={needed!r}."
            )
        losses = self.hyper_params.matrix_games.losses
        if losses == "rollouts" and not game.has_actions:
            raise ParameterError(
                f"matrix_games.losses='rollouts' needs a game with actions, got "
                f"dataset={self.hyper_params.dataset!r}. Choose iterated_prisoners_dilemma or "
                "matching_pennies, or matrix_games.losses='exact'."
            )
        sizes = zip(names, game.num_parameters, strict=True)
        players = {name: self._player(name, size, protocol) for name, size in sizes}
        agents = CombinedAgents(players, "action")
        return GameInstance(
            protocol_handler=protocol,
            scenario=self,
            train_dataset=None,
            test_dataset=None,
            agents=agents.to(self.settings.device),
            game=game,
            normalizer=ObservationNormalizer().to(self.settings.device),
        )

    def _player(self, name: str, num_parameters: int, protocol: ProtocolHandler) -> Agent:
        params = self.hyper_params.agents[name]
        assert isinstance(params, AgentParameters), params
        context = AgentContext(self.hyper_params, params, name, protocol, message_shape=(2,))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stable_seed(self.hyper_params.seed, "agent", name))
            head = StrategyHead(context, num_parameters)
        body = RandomAgentBody(context)
        return Agent(context, body=body, policy_head=head, is_random=params.is_random)
