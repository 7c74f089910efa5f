"""Functions that ``test_ranks.py`` runs on each of two ranks."""

import torch
from torch import nn

from nip.errors import RankError
from nip.utils.ranks import ALONE, Ranks, connected_ranks, current_ranks, launched_ranks


def everything(_: None) -> dict:
    """Connect twice, and use every collective once."""
    with connected_ranks("cpu") as ranks:
        ranks.barrier()
    assert current_ranks() == ALONE
    with connected_ranks("cpu") as ranks:
        return use_all(ranks)


def lose_the_other(rank_that_fails: int) -> str:
    """Fail on one rank while the other waits; return the error of this rank."""
    try:
        with connected_ranks("cpu") as ranks:
            if ranks.rank == rank_that_fails:
                raise ZeroDivisionError
            ranks.barrier()
    except (RankError, ZeroDivisionError) as error:
        return type(error).__name__
    return "well"


def use_all(ranks: Ranks) -> dict:
    one_based = torch.tensor([1.0 + ranks.rank])
    return {
        "rank": [ranks.rank, ranks.size, ranks.is_first],
        "current": current_ranks() == launched_ranks() == ranks,
        "sum": ranks.sum_(one_based.clone()).tolist(),
        "mean": ranks.mean_(one_based.clone()).tolist(),
        "gradients": averaged_gradients(ranks),
        "buffers": averaged_buffers(ranks),
        "weights": shared_weights(ranks),
        "gathered": gathered(ranks),
        "shared": {
            name: [str(value.dtype), value.tolist()]
            for name, value in ranks.share(own_tensors(ranks)).items()
        },
        "text": ranks.share_text(f"größer als {ranks.rank}"),
        "first": ranks.first([0.1 + ranks.rank, float("inf")]),
        "any": ranks.any([ranks.rank == 1, False]),
        "only_first": [ranks.only_first(lambda: 7), failure_of_the_first(ranks)],
    }


def averaged_gradients(ranks: Ranks) -> list:
    """Average a gradient of all ranks, one of a single rank, and one of none."""
    parameters = [nn.Parameter(torch.zeros(2, 1)) for _ in range(4)]
    parameters[0].grad = torch.tensor([[2.0], [4.0]]) * (1 + ranks.rank)
    if not ranks.is_first:
        parameters[1].grad = torch.tensor([[1.0], [0.0]])
    parameters[3].requires_grad_(False)
    ranks.average_gradients(parameters)
    return [None if each.grad is None else each.grad.tolist() for each in parameters]


def averaged_buffers(ranks: Ranks) -> dict:
    module = nn.BatchNorm1d(2)
    module.running_mean.add_(ranks.rank)
    module.num_batches_tracked.add_(5)
    ranks.average_buffers(module)
    return {name: buffer.tolist() for name, buffer in module.named_buffers()}


def shared_weights(ranks: Ranks) -> list:
    module = nn.Linear(1, 1).requires_grad_(False)
    module.weight.fill_(ranks.rank + 1.0)
    module.bias.fill_(ranks.rank + 2.0)
    ranks.share_weights(module)
    return [module.weight.item(), module.bias.item()]


def own_tensors(ranks: Ranks) -> dict[str, torch.Tensor]:
    return {
        "long": torch.arange(3 * (1 + ranks.rank)).view(-1, 3)[:, 1],
        "bool": torch.tensor(ranks.is_first),
        f"only_{ranks.rank}": torch.empty(0, 2, dtype=torch.float64),
    }


def gathered(ranks: Ranks) -> list:
    return [
        {name: [list(value.shape), value.tolist()] for name, value in tensors.items()}
        for tensors in ranks.gather(own_tensors(ranks))
    ]


def failure_of_the_first(ranks: Ranks) -> str:
    def fail() -> None:
        raise OSError("the disk is full")

    try:
        ranks.only_first(fail)
    except (OSError, RankError) as error:
        return type(error).__name__
    return "none"
