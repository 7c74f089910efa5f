"""``attack_run``: provers learn to mislead the frozen verifier of a run."""

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nip.errors import NipWarning, ParameterError, StorageError
from nip.experiment.base_run import read_base_run
from nip.experiment_settings import ExperimentSettings
from nip.factory import build_scenario_instance
from nip.parameters import HyperParameters
from nip.parameters.specs import why_no_network_plays
from nip.parameters.tree.unnamed import check_all_is_named
from nip.robustness.attack_experiment import attack_components, attack_parameters
from nip.robustness.best_answers import SearchTooLargeError
from nip.robustness.measurement import Measurement, Shares, copy_other_agents
from nip.robustness.report import AttackReport, Kept, kept_of
from nip.robustness.threats import Threat, threats_of
from nip.run import run_experiment
from nip.run_store.checkpoints.checkpoint_folder import read_intact
from nip.run_store.reading import read_settings
from nip.run_store.run_id import check_run_id
from nip.scenario_instance import TensorDictScenarioInstance
from nip.trainers.tensor.weights.saved_models import find_weights, load_model
from nip.utils.links import refuse_links_outside
from nip.utils.progress import ProgressBar

TRAINED, RANDOM = "of the run", "random"
STRONGEST, BEST = "strongest attacks", "best answers"


@dataclass(frozen=True)
class AttackOptions:
    """How a run is attacked."""

    seeds: Sequence[int] = (1, 2, 3)
    """One attack is trained with each seed; none: no attack is trained."""

    num_iterations: int | None = None
    """Iterations of training of each attack; None: as many as the run had."""

    checkpoint: str | None = None
    """``latest``, ``best`` or an iteration; None: the best if one was marked, else the latest."""

    architectures: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"same": {}})
    """Parameters of the attackers that differ from those of the run's provers, by a name."""

    num_repeats: int = 4
    """Episodes about each datapoint, if the verifier samples its actions."""

    sampled: bool = False
    """Whether agents sample their actions also if the test of the run was greedy."""

    dataset: str | None = None
    """Dataset on whose test split the verifier is attacked; None: that of the run."""

    max_datapoints: int | None = None
    """Datapoints of each label; None: all of the test split."""

    search: bool = True
    """Whether all answers are tried as well."""

    max_states: int = 100_000
    """Most states of one round in that search; above it, the search is left out."""

    def __post_init__(self) -> None:
        for name in ("num_iterations", "num_repeats", "max_datapoints", "max_states"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ParameterError(f"{name} must be at least 1, got {value}.")
        if repeated := sorted({seed for seed in self.seeds if self.seeds.count(seed) > 1}):
            raise ParameterError(
                f"seeds must differ, got {repeated[0]} more than once. Leave out the repetition."
            )


def attack_run(
    run_id: str,
    options: AttackOptions | None = None,
    *,
    given: Mapping[str, Any] | None = None,
    settings: ExperimentSettings | None = None,
    **settings_kwargs: Any,
) -> AttackReport:
    """Attack the verifier of a run of networks, and write ``attack.json`` and ``attack.png``.

    With another dataset the files are ``attack-<dataset>.json`` and ``.png``.

    For each label that a prover gains from misjudging, fresh provers are trained against the frozen
    verifier, once for each seed and architecture. Each attack is a run of its own beside the
    attacked one: if it is interrupted, the same call resumes it, and completed attacks are not
    trained again. The verifier is tested on the test split against all of them, and against the
    best of all possible answers where these can be enumerated.

    Parameters
    ----------
    run_id : str
        Name of the attacked run.
    options : AttackOptions, optional
        How to attack.
    given : mapping of str to Any, optional
        Parameters by dotted name that replace those of the run. What a run names outside of itself,
        such as the code of a plugin or a file, is used only if it is among them, because a run may
        come from somebody else.
    settings : ExperimentSettings, optional
        Folders, device and threads. By default, the datasets are read from where the run read them.
    **settings_kwargs : Any
        Single settings; they take precedence over ``settings``.

    Returns
    -------
    report : AttackReport
        Accuracies with 95 % confidence intervals.

    Raises
    ------
    ParameterError
        If the run does not exist, is one of language models, has no provers to attack with, or
        names what is outside of it; or if the run of an attack exists that attacked other weights
        or has other parameters.
    CheckpointError
        If it has no weights.
    """
    options = options or AttackOptions()
    settings = replace(settings or ExperimentSettings(), **settings_kwargs)
    check_run_id(run_id)
    folder = Path(settings.runs_dir) / run_id
    with warnings.catch_warnings():
        # What has no effect in an attack was chosen for the attacked run.
        warnings.simplefilter("ignore", NipWarning)
        return _attack(folder, options, given or {}, settings)


def _attack(
    folder: Path, options: AttackOptions, given: Mapping[str, Any], settings: ExperimentSettings
) -> AttackReport:
    run_id = folder.name
    attacked = _read(folder, run_id, given)
    if not os.access(folder, os.W_OK):
        raise StorageError(
            f"You may not write to {folder}, where the result is stored. Copy the run to a folder "
            "of your own, and attack the copy."
        )
    refuse_links_outside(folder)
    if settings.data_dir == ExperimentSettings().data_dir:
        stored = read_settings(folder).get("data_dir")
        settings = replace(settings, data_dir=stored or settings.data_dir)
    report = _Attack(attacked, run_id, folder, options, settings).report()
    report.write(folder)
    return report


def _read(folder: Path, run_id: str, changes: Mapping[str, Any]) -> HyperParameters:
    use = f"The run {run_id!r} cannot be attacked"
    attacked = read_base_run(folder.parent, run_id, use).with_changes(changes)
    if reason := why_no_network_plays(attacked):
        raise ParameterError(
            f"The run {run_id!r} has {reason}. Attacks are trained against networks that play "
            "episodes; choose a run in which networks exchange messages."
        )
    protocol = {"interaction_protocol": attacked.interaction_protocol} if changes else {}
    given = HyperParameters(
        scenario=attacked.scenario, trainer=attacked.trainer, dataset=attacked.dataset
    ).with_changes({**protocol, **changes})
    from nip.protocols.registry import agent_names_of

    used = attacked.with_changes({"callbacks": [], "base_run": None})
    names = agent_names_of(attacked.interaction_protocol)
    check_all_is_named(used, given, names, f"The run {run_id!r}", option="--given")
    return used


class _Attack:
    """The attack on one checkpoint."""

    def __init__(
        self,
        attacked: HyperParameters,
        run_id: str,
        folder: Path,
        options: AttackOptions,
        settings: ExperimentSettings,
    ) -> None:
        if options.dataset is not None:
            attacked = attacked.with_changes({"dataset": options.dataset})
        self.attacked, self.run_id, self.folder = attacked, run_id, folder
        self.options, self.settings = options, settings
        self.greedy = attacked.rl.greedy_test and not options.sampled
        self.weights = find_weights(folder, options.checkpoint)
        self.iteration = read_intact(self.weights).iteration
        self.num_iterations = options.num_iterations or attacked.rl.num_iterations
        self.instance = self._load(attacked, self.weights)
        self.protocol = self.instance.protocol_handler
        self.threats = threats_of(self.protocol)
        self.attacks: list[str] = []
        self._on_iteration: Callable[[], object] = lambda: None

    def report(self) -> AttackReport:
        """Train and measure all attacks."""
        every = tuple(range(self.protocol.num_variants))
        trained = [self._shares(self.instance, label, every) for label in (0, 1)]
        kept = _both(TRAINED, trained)
        provers = self.protocol.prover_names
        kept += _both(RANDOM, [self._shares(self.instance, n, every, provers) for n in (0, 1)])
        weakest = list(trained)
        for threat, by_name in zip(self.threats, self._all_attacks(), strict=True):
            kept += [kept_of(name, threat.label, shares) for name, shares in by_name.items()]
            weakest[threat.label] = np.minimum.reduce([trained[threat.label], *by_name.values()])
        if self.options.seeds:
            kept += _both(STRONGEST, weakest)
        note = ""
        if self.options.search:
            try:
                best = list(weakest)
                for threat in self.threats:
                    best[threat.label] = np.minimum(weakest[threat.label], self._search(threat))
                kept += _both(BEST, best)
            except SearchTooLargeError as error:
                note = str(error)
        return AttackReport(
            self.run_id,
            self.iteration,
            self.num_iterations,
            tuple(self.attacks),
            tuple(kept),
            note,
            Path(self.options.dataset).name if self.options.dataset else None,
        )

    def _all_attacks(self) -> list[dict[str, Shares]]:
        """Train all attacks; return the shares of right decisions by threat and attack."""
        num_attacks = len(self.threats) * len(self.options.architectures) * len(self.options.seeds)
        total = num_attacks * self.num_iterations
        with ProgressBar("Attacks", total, self.settings.progress) as bar:
            self._on_iteration = bar.advance
            return [self._trained_attacks(threat) for threat in self.threats]

    def _trained_attacks(self, threat: Threat) -> dict[str, Shares]:
        """Train the attackers of a threat; return the shares of right decisions by attack."""
        found = {}
        for architecture, changes in self.options.architectures.items():
            for seed in self.options.seeds:
                instance = self._attack(threat, architecture, changes, seed)
                several = len(self.options.architectures) > 1
                name = f"attack {seed}, {architecture}" if several else f"attack {seed}"
                found[name] = self._shares(instance, threat.label, threat.variants)
        return found

    def _attack(
        self, threat: Threat, architecture: str, changes: Mapping[str, Any], seed: int
    ) -> TensorDictScenarioInstance:
        params = attack_parameters(
            self.attacked,
            (self.run_id, self.iteration),
            self.protocol.agent_names,
            threat,
            seed=seed,
            num_iterations=self.num_iterations,
            changes=changes,
        )
        result = run_experiment(
            params,
            run_id=self._attack_id(threat, architecture, changes, seed),
            components=attack_components(self.instance.normalizer, self._on_iteration),
            settings=replace(self.settings, progress=False),
        )
        self.attacks.append(result.run_id)
        # The dataset may depend on the seed: all attacks are measured on that of the run.
        instance = self._load(
            params.with_changes({"seed": self.attacked.seed}), find_weights(result.folder, "latest")
        )
        self._check_attacked(instance, threat, result.folder)
        return instance

    def _check_attacked(
        self, instance: TensorDictScenarioInstance, threat: Threat, folder: Path
    ) -> None:
        """Refuse an attack on others than the agents of the run, whose weights it has kept frozen.

        It may be left from an earlier run of the same name, or come with a run from somebody else.
        """
        pairs = [(instance.normalizer, self.instance.normalizer)] + [
            (instance.agents.agents[name], self.instance.agents.agents[name])
            for name in self.protocol.agent_names
            if name not in threat.attackers and not self.attacked.agents[name].is_random
        ]
        for found, expected in pairs:
            states = found.state_dict(), expected.state_dict()
            if not _are_equal(*states):
                raise ParameterError(
                    f"The attack {folder} has not attacked this run: it has other weights of the "
                    "agents that were frozen. Delete it, so that the attack is trained again."
                )

    def _attack_id(
        self, threat: Threat, architecture: str, changes: Mapping[str, Any], seed: int
    ) -> str:
        content: list[Any] = [self.iteration, self.num_iterations, dict(changes)]
        if self.options.dataset is not None:
            content.append(self.options.dataset)
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:6]
        return f"{self.run_id}-attack-{threat.name}-{architecture}-{seed}-{digest}"

    def _search(self, threat: Threat) -> Shares:
        """Return the probability of a right decision about each datapoint of a threat."""
        params = attack_parameters(
            self.attacked,
            (self.run_id, self.iteration),
            self.protocol.agent_names,
            threat,
            seed=self.attacked.seed,
            num_iterations=1,
            changes={},
        )
        instance = self._load(params, None)
        copy_other_agents(self.instance, instance, threat)
        return self._measured(instance).best_answers(threat, max_states=self.options.max_states)

    def _shares(
        self,
        instance: TensorDictScenarioInstance,
        label: int,
        variants: Sequence[int],
        random_agents: Sequence[str] = (),
    ) -> Shares:
        return self._measured(instance).shares(label, variants, random_agents)

    def _measured(self, instance: TensorDictScenarioInstance) -> Measurement:
        options = self.options
        return Measurement(
            instance,
            seed=self.attacked.seed,
            greedy=self.greedy,
            num_repeats=options.num_repeats,
            max_datapoints=options.max_datapoints,
        )

    def _load(self, params: HyperParameters, weights: Path | None) -> TensorDictScenarioInstance:
        instance = build_scenario_instance(params, self.settings)
        assert isinstance(instance, TensorDictScenarioInstance), instance
        if weights is not None:
            load_model(weights, instance.agents, instance.normalizer)
        return instance


def _are_equal(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    return first.keys() == second.keys() and all(
        torch.equal(value, second[key]) if isinstance(value, Tensor) else value == second[key]
        for key, value in first.items()
    )


def _both(provers: str, shares: Sequence[Shares]) -> list[Kept]:
    """Summarise both labels, and all datapoints."""
    each = [kept_of(provers, label, values) for label, values in enumerate(shares) if len(values)]
    return [*each, kept_of(provers, None, np.concatenate(list(shares)))]
