"""Playing for a trainer: batches to learn from, and episodes to evaluate the agents on."""

from collections.abc import Callable

import torch
from tensordict import TensorDict

from nip.parameters import HyperParameters
from nip.scenario_base.collector import RolloutCollector
from nip.scenario_instance import TensorDictScenarioInstance
from nip.seeding import stable_seed
from nip.trainers.tensor.learning.data_parallel import seed_parts
from nip.trainers.tensor.rollout_metrics import metric_frames
from nip.utils.ranks import current_ranks


def training_collector(
    instance: TensorDictScenarioInstance, hyper_params: HyperParameters, *, with_values: bool
) -> RolloutCollector:
    """Collect in the training environments or, of several ranks, in this one's share.

    Parameters
    ----------
    instance : TensorDictScenarioInstance
        Agents and environments.
    hyper_params : HyperParameters
        Its seed counts.
    with_values : bool
        Whether the critics are asked.
    """
    seed, ranks = hyper_params.seed, current_ranks()
    environment = instance.train_environment
    if ranks.size > 1:
        environment = environment.fresh_copy(
            stable_seed(seed, "environment", "train", *seed_parts(ranks)),
            environment.num_environments // ranks.size,
        )
    return RolloutCollector(
        environment,
        instance.agents,
        num_steps=instance.batch_shape.num_steps,
        seed=stable_seed(seed, "actions", "train", *seed_parts(ranks)),
        with_values=with_values,
    )


def play_for_evaluation(
    instance: TensorDictScenarioInstance,
    hyper_params: HyperParameters,
    split: str,
    on_batch: Callable[[], object],
) -> TensorDict:
    """Play on a split, the same questions and the same chances each time.

    Parameters
    ----------
    instance : TensorDictScenarioInstance
        Agents and environments.
    hyper_params : HyperParameters
        Its ``seed``, ``rl.num_test_iterations`` and ``rl.greedy_test`` count.
    split : str
        ``train`` or ``test``.
    on_batch : callable
        Called after each batch.

    Returns
    -------
    frames : TensorDict
        What metrics are made of, (environment, step).
    """
    rl, seed = hyper_params.rl, hyper_params.seed
    environment = instance.test_environment if split == "test" else instance.train_environment
    phase = "test" if split == "test" else "evaluation on train"
    collector = RolloutCollector(
        environment.fresh_copy(stable_seed(seed, "environment", phase)),
        instance.agents,
        num_steps=instance.batch_shape.num_steps,
        seed=stable_seed(seed, "actions", phase),
        greedy=rl.greedy_test,
        with_values=False,
    )
    batches = []
    for _ in range(rl.num_test_iterations):
        batches.append(metric_frames(collector.collect()))
        on_batch()
    return torch.cat(batches, dim=1)
