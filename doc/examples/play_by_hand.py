"""A supervised loop over states of an environment, and episodes played by hand."""

import torch
from torch import Tensor
from torch.nn import functional as F

from nip import ExperimentSettings, HyperParameters
from nip.factory import build_scenario_instance
from nip.scenario_base.combined_agents import readable

hyper_params = HyperParameters(
    scenario="toy", dataset="witness", trainer="vanilla_ppo", interaction_protocol="adp"
)
instance = build_scenario_instance(hyper_params, ExperimentSettings(progress=False))
environment, dataset, agents = instance.train_environment, instance.train_dataset, instance.agents
verifier = instance.protocol_handler.agent_names.index("verifier")
generator = torch.Generator().manual_seed(0)


def teach_prover(num_epochs: int) -> None:
    """Teach the prover to name the marked position, in minibatches of any size."""
    prover = agents.agents["prover"]
    optimizer = torch.optim.Adam(prover.parameters(), lr=0.05)
    marked = (dataset["y"] == 1).nonzero().squeeze(-1)
    for _ in range(num_epochs):
        order = torch.randperm(len(marked), generator=generator)
        for rows in marked[order].split(3):
            state = environment.state_of(rows)
            # (batch, channel, position, symbol): one channel, and messages of one symbol.
            logits = prover(readable(state), with_value=False).message_logits[:, 0, 0]
            loss = F.cross_entropy(logits, state["secret"].argmax(-1))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def decide(state: dict[str, Tensor]) -> Tensor:
    """Accept (1) where the first message names the marked position, else reject (0)."""
    named = state["message_history"][:, 0, 0, 0]
    return (named * state["secret"]).sum(-1).long()


@torch.no_grad()
def play(rows: Tensor) -> dict[int, int]:
    """Play one episode about each row; return the verdicts."""
    state, verdicts = environment.state_of(rows), {}
    while len(state["round"]) > 0:
        protocol = environment.tensor_protocol
        active = protocol.active_mask(state["round"], state["seed"])
        decides = protocol.counting_mask(state["round"], state["seed"])
        actions = agents.act(state, active, decides, None, generator, greedy=True)
        actions["decision"][:, verifier] = decide(state)
        transition = environment.advance(state, actions)
        done = transition.done
        for row, verdict in zip(state["datapoint_id"][done], transition.verdict[done], strict=True):
            verdicts[int(row)] = int(verdict)
        state = {name: value[~done] for name, value in transition.state.items()}
    return verdicts


if __name__ == "__main__":
    teach_prover(num_epochs=60)
    verdicts = play(torch.arange(len(dataset)))
    right = [verdicts[row] == dataset[row]["y"] for row in range(len(dataset))]
    print("accuracy", sum(map(float, right)) / len(right))
