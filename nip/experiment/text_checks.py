"""Checks of an experiment with language models before the first paid request."""

from pathlib import Path

from nip.errors import ParameterError
from nip.experiment.text_parts import TextParts, build_text_parts
from nip.experiment_settings import ExperimentSettings
from nip.language_models.chat import ModelSpec
from nip.language_models.costs.price_file import read_prices
from nip.language_models.costs.prices import Prices
from nip.language_models.costs.shared_budget import SharedBudget
from nip.language_models.engine.cache import check_response_cache
from nip.language_models.fine_tuning import (
    check_fine_tuning_access,
    find_fine_tuning_backend,
    fine_tuning_backend_registry,
)
from nip.language_models.fine_tuning.job_cost import price_of_job
from nip.language_models.provider_registry import check_access
from nip.language_models.server.faults import read_fault_plan
from nip.language_models.server.mock_models.registry import check_mock_model
from nip.parameters import HyperParameters, RlParameters, field_rules
from nip.parameters.specs import trainer_specs
from nip.protocols import ProtocolHandler
from nip.scenario_base.text.agent import REHEARSAL_PROVIDER, TextAgent

MAX_DIALOGUES = 10_000_000
"""Largest number of dialogues of a run, each of which is several calls and rows of a database."""


def check_text_experiment(
    hyper_params: HyperParameters, settings: ExperimentSettings, protocol: ProtocolHandler
) -> TextParts:
    """Check data, prices, prompts, models and the fine-tuning service without a request.

    Return the parts that this builds. Raise ``NipError`` if something is missing or unusable.
    """
    _check_number_of_dialogues(hyper_params)
    read_prices(settings.prices)
    if settings.response_cache is not None:
        check_response_cache(Path(settings.response_cache))
    parts = build_text_parts(hyper_params, settings, protocol)
    if any(agent.model.provider != REHEARSAL_PROVIDER for agent in parts.agents.values()):
        _check_iterations_are_meant(hyper_params)
    only_tests = hyper_params.base_run.base_run_type == "rerun_tests"
    trains = hyper_params.rl.num_iterations > 1 and not only_tests
    for agent in parts.agents.values():
        _check_model(agent, hyper_params, learns=trains and not agent.params.freeze_agent)
    if settings.shared_budget is not None:
        SharedBudget.read(Path(settings.shared_budget))
    if settings.max_cost is not None or settings.shared_budget is not None:
        _check_prices(parts, hyper_params, settings, trains=trains)
    return parts


def _check_number_of_dialogues(hyper_params: HyperParameters) -> None:
    """Refuse more dialogues than could be planned, stored or paid for."""
    rl = hyper_params.rl
    number = rl.num_iterations * (rl.rollouts_per_iteration or 1)
    if number > MAX_DIALOGUES:
        raise ParameterError(
            f"rl.num_iterations={rl.num_iterations} with rl.rollouts_per_iteration="
            f"{rl.rollouts_per_iteration} are at least {number} dialogues with language models, "
            f"and a run can have at most {MAX_DIALOGUES}. Lower one of them."
        )


def _check_prices(
    parts: TextParts, hyper_params: HyperParameters, settings: ExperimentSettings, *, trains: bool
) -> None:
    """Refuse a budget if a price is unknown, because then it could not be kept."""
    prices = read_prices(settings.prices)
    missing: dict[str, str] = {}
    for agent in parts.agents.values():
        name, price = agent.model.model_name, prices.get(agent.model)
        if price is None:
            missing.setdefault(name, "prompt and completion")
        elif (
            trains
            and not agent.params.freeze_agent
            and agent.model.provider != REHEARSAL_PROVIDER
            and not find_fine_tuning_backend(hyper_params.fine_tuning.backend).is_free
            and _trains_at_no_known_price(prices, hyper_params.fine_tuning.backend, agent.model)
        ):
            missing.setdefault(name, "training")
    if missing:
        listed = "; ".join(f"{name!r} ({kinds})" for name, kinds in missing.items())
        limit = "max_cost of the sweep"
        if settings.max_cost is not None:
            limit = f"settings.max_cost={settings.max_cost:g}"
        raise ParameterError(
            f"{limit} cannot be kept, because prices are unknown: {listed}. Add them to a file, in "
            "dollars per million tokens, and give it as settings.prices; or leave out max_cost."
        )


def _trains_at_no_known_price(prices: Prices, backend: str, model: ModelSpec) -> bool:
    price = price_of_job(prices, backend, model.model_name, is_free=False, base_url=model.base_url)
    return price is None or price.training is None


def _check_model(agent: TextAgent, hyper_params: HyperParameters, *, learns: bool) -> None:
    """Check that the model of an agent can be called, and fine-tuned if it learns."""
    backend, rehearsal = hyper_params.fine_tuning.backend, hyper_params.rehearsal
    if learns:
        _check_method(hyper_params)
    if agent.model.provider == REHEARSAL_PROVIDER:
        learner = agent.name if learns else None
        check_mock_model(rehearsal.brain, rehearsal.brain_file, learner=learner)
        read_fault_plan(rehearsal.faults, rehearsal.fault_rate, hyper_params.seed)
        return
    check_access(agent.model)
    if learns:
        check_fine_tuning_access(backend, agent.model)


def _check_method(hyper_params: HyperParameters) -> None:
    """Refuse a fine-tuning backend that lacks the method of the trainer."""
    backend, trainer = hyper_params.fine_tuning.backend, hyper_params.trainer
    method = trainer_specs[trainer].fine_tuning_method
    if method is None or method in find_fine_tuning_backend(backend).methods:
        return
    names = fine_tuning_backend_registry.names()
    able = [name for name in names if method in find_fine_tuning_backend(name).methods]
    raise ParameterError(
        f"trainer={trainer!r} needs fine-tuning jobs with the method {method!r}, which "
        f"fine_tuning.backend={backend!r} does not have. Set fine_tuning.backend to "
        f"{' or '.join(able)}, or choose another trainer."
    )


def _check_iterations_are_meant(hyper_params: HyperParameters) -> None:
    """Refuse the default number of iterations, which suits networks but costs too much here."""
    default = field_rules(RlParameters)["num_iterations"].default
    if hyper_params.rl.num_iterations == default:
        raise ParameterError(
            f"rl.num_iterations={default} is the default for networks. With language models each "
            "iteration is a paid round of sampling and fine-tuning: set the number explicitly, for "
            "example to 3."
        )
