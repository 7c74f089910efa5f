"""Sums over pairs of actions in the same episode, for second derivatives of expected returns."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def pair_weights(
    slopes: Float[Tensor, "environment step"],
    advantage: Float[Tensor, "environment step"],
    done: Bool[Tensor, "environment step"],
    discount: float,
) -> Float[Tensor, "environment step"]:
    r"""Return the weight of each action of one player for pairs with the actions of another one.

    The mixed second derivative of an expected return is the mean over episodes of

    .. math::

        \sum_{t, t'} \gamma^{|t - t'|} A_{\max(t, t')} s_t s_{t'}^\top ,

    with the scores :math:`s_t` of one player and :math:`s_{t'}` of the other: a pair of actions is
    judged by what comes after both. Multiplied by a vector, the second score becomes the slope
    :math:`a_{t'} = s_{t'} \cdot v`, and the weight of the first is

    .. math::

        w_t = A_t \sum_{t' \le t} \gamma^{t - t'} a_{t'}
        + \sum_{t' > t} \gamma^{t' - t} A_{t'} a_{t'} .

    Foerster et al., *DiCE: the infinitely differentiable Monte Carlo estimator* (2018), with
    advantages instead of returns as in Farquhar, Whiteson and Foerster, *Loaded DiCE* (2019).

    Parameters
    ----------
    slopes : Tensor
        :math:`a_t`, 0 where the other player does not act.
    advantage : Tensor
        :math:`A_t` of the player whose return it is.
    done : Tensor
        Where an episode ends.
    discount : float
        :math:`\gamma`.
    """
    num_steps = slopes.shape[1]
    continues = (~done).to(slopes.dtype) * discount
    before = [slopes[:, 0]]
    for step in range(1, num_steps):
        before.append(slopes[:, step] + continues[:, step - 1] * before[-1])
    after = [torch.zeros_like(slopes[:, -1])]
    judged = slopes * advantage
    for step in reversed(range(num_steps - 1)):
        after.append(continues[:, step] * (judged[:, step + 1] + after[-1]))
    return advantage * torch.stack(before, dim=1) + torch.stack(after[::-1], dim=1)
