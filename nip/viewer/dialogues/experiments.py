"""``TextExperiments``: the questions, prompts and rules of runs of language models."""

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

from nip.errors import NipError
from nip.language_models.chat import TokenUsage
from nip.language_models.costs.price_file import read_prices
from nip.language_models.costs.prices import Prices
from nip.parameters import HyperParameters
from nip.parameters.text_agents import TextAgentParameters
from nip.rollout_analysis.text_run import read_text_experiment
from nip.run_store import open_database
from nip.run_store.database.rollout_table import RolloutPhase
from nip.run_store.reading import read_settings
from nip.scenario_base.text.agent import rehearsed_model_of
from nip.scenario_base.text.conversation import Conversation
from nip.scenario_base.text.datapoint import TextDatapoint
from nip.scenario_base.text.rollout import MessageRecord, Rollout
from nip.scenario_instance import PureTextScenarioInstance
from nip.viewer.runs.file_cache import FileCache

_MAX_EXPERIMENTS = 20


@dataclass(frozen=True)
class TextExperiment:
    """The questions, prompts and rules of one run of language models."""

    hyper_params: HyperParameters
    """Parameters of the run."""

    instance: PureTextScenarioInstance
    """Protocol, datasets and dialogue rules."""

    prices: Prices
    """Prices of tokens, with those that the user of the run has set."""

    has_changed_prompts: bool
    """Whether the prompts are others now than when the run started."""

    @property
    def agent_names(self) -> tuple[str, ...]:
        """Names of the agents in the order of the protocol."""
        return self.instance.protocol_handler.agent_names

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the channels in the order of the protocol."""
        return self.instance.protocol_handler.channel_names

    def readers(self, channel: str) -> tuple[str, ...]:
        """Return the agents that can read a channel."""
        protocol = self.instance.protocol_handler
        return tuple(
            name for name in self.agent_names if channel in protocol.visible_channels(name)
        )

    def datapoint(self, phase: RolloutPhase, rollout: Rollout) -> TextDatapoint | None:
        """Return what a dialogue is about; None if the dataset has no such datapoint."""
        instance = self.instance
        dataset = instance.train_dataset if phase == "train" else instance.test_dataset
        if not 0 <= rollout.datapoint < len(dataset):
            return None
        found = dataset[rollout.datapoint]
        return found if found.id == rollout.datapoint_id else None

    def conversation(self, phase: RolloutPhase, rollout: Rollout) -> Conversation | None:
        """Return a dialogue as each agent sees it; None if its datapoint is unknown."""
        datapoint = self.datapoint(phase, rollout)
        if datapoint is None:
            return None
        return Conversation(self.instance.rules, datapoint, rollout.seed)

    def cost(self, message: MessageRecord) -> float | None:
        """Return the price of the tokens of a turn in dollars; None if it is unknown.

        In a rehearsal it is what the answer would have cost at the real model.
        """
        agent = self.instance.agents.get(message.agent)
        if agent is None or not isinstance(agent.params, TextAgentParameters):
            return None
        model = rehearsed_model_of(agent.params)
        if message.model and message.model != model.model_name:
            base = model.model_name
            model = replace(model, model_name=message.model, fine_tuned_from=base)
        price = self.prices.get(model)
        usage = TokenUsage(message.prompt_tokens, message.completion_tokens)
        return None if price is None else price.of(usage)


class TextExperiments:
    """The experiments of runs, built once for each state of the files of a run.

    Parameters
    ----------
    data_dir : str, optional
        Folder of the datasets; None: for each run the one that it used last.
    """

    def __init__(self, data_dir: str | None) -> None:
        self._data_dir = data_dir
        self._cache: FileCache[TextExperiment | str] = FileCache(_MAX_EXPERIMENTS)

    def get(self, folder: Path) -> TextExperiment | str:
        """Return the experiment of a run; or, as text, why it cannot be built."""
        files = [folder / "hyper_params.yaml", folder / "settings.yaml"]
        return self._cache.get(folder, files, lambda: self._build(folder))

    def _build(self, folder: Path) -> TextExperiment | str:
        with warnings.catch_warnings():
            # These warnings were shown when the run started.
            warnings.simplefilter("ignore")
            try:
                hyper_params, instance = read_text_experiment(folder, self._data_dir)
                with open_database(folder) as database:
                    prompts = database.digests().get("prompts")
                prices = _prices(folder)
            except (NipError, OSError) as error:
                return str(error)
        has_changed = prompts not in (None, instance.digests()["prompts"])
        return TextExperiment(hyper_params, instance, prices, has_changed)


def _prices(folder: Path) -> Prices:
    """Return the prices that a run used; the public ones if its price file is gone."""
    path = read_settings(folder).get("prices")
    try:
        return read_prices(path if isinstance(path, str) else None)
    except (NipError, OSError):
        return Prices()
