"""Checks of a whole experiment that need neither PyTorch nor data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nip.errors import ParameterError, did_you_mean
from nip.experiment.meaningless import warn_of_meaningless_choices
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters, scenario_specs, trainer_specs
from nip.parameters.checks.memory import memory_needs
from nip.protocols import ProtocolHandler, build_protocol_handler
from nip.scenario_base.batch_shape import compute_batch_shape
from nip.scenario_base.dataset_files import check_splits, dataset_folder
from nip.utils.memory_limit import memory_limit, problem_with_memory
from nip.utils.ranks import launched_ranks

if TYPE_CHECKING:
    from nip.experiment.text_parts import TextParts


def check_experiment(
    hyper_params: HyperParameters, settings: ExperimentSettings
) -> tuple[ProtocolHandler, TextParts | None]:
    """Check that the parts of an experiment fit each other, as far as this needs no PyTorch.

    Parameters
    ----------
    hyper_params : HyperParameters
        The experiment.
    settings : ExperimentSettings
        How and where to run.

    Returns
    -------
    protocol : ProtocolHandler
        The compiled protocol.
    text_parts : TextParts or None
        Agents and dialogue rules of an experiment with language models.

    Raises
    ------
    NipError
        If it cannot fit into memory, the protocol cannot be compiled, an agent is not in the
        protocol, a batch cannot be divided as configured, the experiment does not support several
        processes and torchrun has started several, or the dataset does not exist or lacks a
        split. For language models also if the protocol has no prompts in this scenario, or the API
        key of a model is missing: everything that can fail before money is spent.
    """
    _check_memory(hyper_params, settings)
    protocol = build_protocol_handler(hyper_params)
    problems = [
        *_unknown_agents(hyper_params, protocol),
        *_problems_of_ranks(hyper_params, settings),
    ]
    if problems:
        raise ParameterError(*problems)
    if trainer_specs[hyper_params.trainer].data == "text":
        # The modules of language models are not imported for networks.
        from nip.experiment.text_checks import check_text_experiment

        text_parts = check_text_experiment(hyper_params, settings, protocol)
        warn_of_meaningless_choices(hyper_params, settings, protocol)
        return protocol, text_parts
    if scenario_specs[hyper_params.scenario].data == "tensordict":
        _check_batch(hyper_params, protocol)
        _check_dataset(hyper_params, settings)
        warn_of_meaningless_choices(hyper_params, settings, protocol)
    return protocol, None


def _check_memory(hyper_params: HyperParameters, settings: ExperimentSettings) -> None:
    """Refuse sizes that cannot fit into the memory of this machine, before anything is built."""
    is_on_host = settings.device == "cpu"
    needs = [need for need in memory_needs(hyper_params) if is_on_host or not need.on_device]
    if problem := problem_with_memory(needs, memory_limit()):
        raise ParameterError(problem)


def _unknown_agents(hyper_params: HyperParameters, protocol: ProtocolHandler) -> Iterator[str]:
    named = {f"agents.{name}": name for name in hyper_params.agents.listed_names}
    regression = hyper_params.message_regression
    if regression.enabled:
        named |= {f"message_regression.agents={n!r}": n for n in regression.agents or ()}
    named |= {f"opponent_pool.agents={n!r}": n for n in hyper_params.opponent_pool.agents}
    for place, name in named.items():
        if name not in protocol.agent_names:
            known = sorted(protocol.agent_names)
            suggestion = did_you_mean(name, known)
            yield (
                f"{place}: the protocol {hyper_params.interaction_protocol!r} has no agent "
                f"{name!r}.{' ' * bool(suggestion)}{suggestion} It has {', '.join(known)}."
            )


def _problems_of_ranks(
    hyper_params: HyperParameters, settings: ExperimentSettings
) -> Iterator[str]:
    """Yield a message for each setting that does not work with several processes."""
    num_ranks = launched_ranks().size
    if num_ranks == 1:
        return
    data = scenario_specs[hyper_params.scenario].data
    if data not in ("tensordict", "text"):
        yield (
            f"trainer={hyper_params.trainer!r} does not learn from tensors and cannot be split "
            f"over {num_ranks} processes in scenario={hyper_params.scenario!r}. Start it with "
            "python instead of torchrun."
        )
    if data == "text":
        yield (
            f"trainer={hyper_params.trainer!r} trains language models and cannot be split over "
            f"{num_ranks} processes. Start it with python instead of torchrun; the number of "
            "concurrent requests is set by settings.max_concurrency."
        )
    if ":" in settings.device:
        yield (
            f"settings.device={settings.device} puts all {num_ranks} processes on one GPU. With "
            "settings.device=cuda each process uses the GPU of its local rank."
        )


def _check_batch(hyper_params: HyperParameters, protocol: ProtocolHandler) -> None:
    rl = hyper_params.rl
    num_rollouts_is_known = rl.frames_per_batch is not None or rl.rollouts_per_iteration is not None
    if trainer_specs[hyper_params.trainer].samples_batches and num_rollouts_is_known:
        compute_batch_shape(rl, protocol.max_message_rounds, 0, launched_ranks().size)


def _check_dataset(hyper_params: HyperParameters, settings: ExperimentSettings) -> None:
    """Look for the files of a dataset that is read from disk."""
    spec = scenario_specs[hyper_params.scenario]
    if spec.check is not None:
        spec.check(hyper_params, settings)
    elif spec.builtin_datasets is None:
        check_splits(dataset_folder(settings.data_dir, hyper_params.scenario, hyper_params.dataset))
