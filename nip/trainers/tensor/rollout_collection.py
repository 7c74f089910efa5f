"""Rollouts for trainers: the collector of training batches, and episodes for evaluation."""

from collections.abc import Callable
from functools import partial
from math import ceil

import torch
from tensordict import TensorDict

from nip.parameters import HyperParameters
from nip.scenario_base.collector import RolloutCollector
from nip.scenario_base.compilation import Compilation
from nip.scenario_base.compiled_collector import CompiledCollector
from nip.scenario_instance import TensorDictScenarioInstance
from nip.seeding import stable_seed
from nip.trainers.tensor.learning.data_parallel import seed_parts
from nip.trainers.tensor.opponents.collector import PooledCollector
from nip.trainers.tensor.opponents.pool import OpponentPool
from nip.trainers.tensor.rollout_metrics import metric_frames
from nip.utils.ranks import current_ranks


def training_collector(
    instance: TensorDictScenarioInstance,
    hyper_params: HyperParameters,
    *,
    with_values: bool,
    pool: OpponentPool | None = None,
    compilation: Compilation | None = None,
) -> RolloutCollector:
    """Return a collector for the training environments, or for this rank's share of them.

    Its frames hold what the environment restores observations from.
    With ``with_values`` it collects the values of the critics, too. Without them, it samples the
    returns of the episodes that the end of a batch cuts. The snapshots of a ``pool`` play some of
    the episodes. With a ``compilation`` steps are compiled, except those with a pool.
    """
    seed, ranks = hyper_params.seed, current_ranks()
    environment = instance.train_environment
    if ranks.size > 1:
        environment = environment.fresh_copy(
            stable_seed(seed, "environment", "train", *seed_parts(ranks)),
            environment.num_environments // ranks.size,
        )
    make: Callable[..., RolloutCollector] = RolloutCollector
    if pool is not None:
        make = partial(PooledCollector, pool=pool)
    elif compilation is not None:
        make = partial(CompiledCollector, compilation=compilation)
    return make(
        environment,
        instance.agents,
        num_steps=instance.batch_shape.num_steps,
        seed=stable_seed(seed, "actions", "train", *seed_parts(ranks)),
        with_values=with_values,
        discount=None if with_values else hyper_params.rl.gamma,
        complete_frames=False,
    )


def num_evaluation_batches(
    instance: TensorDictScenarioInstance, hyper_params: HyperParameters
) -> int:
    """Return the number of batches of an evaluation.

    These are ``rl.num_test_iterations``, or more if the longest episode would not end within them:
    metrics of the episodes that happen to end would favour short ones.
    """
    longest = instance.protocol_handler.num_episode_rounds
    needed = ceil(longest / instance.batch_shape.num_steps)
    return max(hyper_params.rl.num_test_iterations, needed)


def play_for_evaluation(
    instance: TensorDictScenarioInstance,
    hyper_params: HyperParameters,
    split: str,
    on_batch: Callable[[], object],
) -> TensorDict:
    """Play evaluation episodes on a split, with the same questions and random numbers each time.

    Return the entries that metrics are computed from, (environment, step). ``on_batch`` is called
    after each batch.
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
        complete_frames=False,
    )
    batches = []
    for _ in range(num_evaluation_batches(instance, hyper_params)):
        batches.append(metric_frames(collector.collect()))
        on_batch()
    return torch.cat(batches, dim=1)
