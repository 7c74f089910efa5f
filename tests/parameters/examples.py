"""Trees of parameters for tests: one to start from, and any at all."""

from collections.abc import Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from hypothesis import strategies as st

from nip.parameters import (
    BaseAgentParameters,
    CodeValidationAgentParameters,
    GraphIsomorphismAgentParameters,
    HyperParameters,
    ImageClassificationAgentParameters,
    LrFactors,
    RandomAgentParameters,
    SubParameters,
    TextAgentParameters,
    ToyAgentParameters,
    UpdateSchedule,
    field_rules,
)
from nip.parameters.callbacks import callback_specs
from nip.parameters.fields.validation import check_value
from nip.parameters.named_components import loss_term_specs
from nip.parameters.scenarios.matrix_games import MatrixGameAgentParameters
from nip.parameters.types import InteractionProtocolType
from nip.registry import Registry

CHOICES: dict[str, Any] = {
    "scenario": "graph_isomorphism",
    "trainer": "vanilla_ppo",
    "dataset": "er1000",
}


DATASETS = {
    "image_classification": "find_the_plus",
    "matrix_games": "tandem",
    "quotes": "facts",
    "toy": "witness",
}
"""A dataset of each scenario that knows its datasets; others take any name."""

AGENT_CLASSES: dict[str, type[BaseAgentParameters]] = {
    "code_validation": CodeValidationAgentParameters,
    "graph_isomorphism": GraphIsomorphismAgentParameters,
    "image_classification": ImageClassificationAgentParameters,
    "matrix_games": MatrixGameAgentParameters,
    "quotes": TextAgentParameters,
    "toy": ToyAgentParameters,
}
"""The class of the agents of each scenario."""


def make_tree(**given: Any) -> HyperParameters:
    """Make a tree that is right wherever nothing else is given."""
    return HyperParameters(**{**CHOICES, **given})


def _is_accepted(annotation: Any, value: Any) -> bool:
    try:
        check_value(annotation, value, "name")
    except ValueError:
        return False
    return True


@cache
def values_of(annotation: Any) -> st.SearchStrategy[Any]:
    """Draw a value that an annotation allows."""
    return _candidates(annotation).filter(lambda value: _is_accepted(annotation, value))


def _candidates(annotation: Any) -> st.SearchStrategy[Any]:
    """Draw values that keep the bounds of an annotation and the limits of single precision."""
    arguments = get_args(annotation)
    if get_origin(annotation) in (Union, UnionType):
        return st.one_of(*map(_candidates, arguments))
    kind, *bounds = arguments if get_origin(annotation) is Annotated else (annotation,)
    if kind is not float:
        return st.from_type(annotation)
    limits: dict[str, Any] = {"min_value": -(2.0**100), "max_value": 2.0**100}
    for bound in bounds:
        if isinstance(bound, Ge | Gt):
            limits["min_value"] = bound.ge if isinstance(bound, Ge) else bound.gt
            limits["exclude_min"] = isinstance(bound, Gt)
        elif isinstance(bound, Le | Lt):
            limits["max_value"] = bound.le if isinstance(bound, Le) else bound.lt
            limits["exclude_max"] = isinstance(bound, Lt)
    return st.floats(**limits, width=32, allow_subnormal=False)


@st.composite
def schedules(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an update schedule in its stored form."""
    period = draw(st.integers(2, 100))
    split = draw(st.integers(1, period - 1))
    contiguous = {"period": period, "start": split - 1, "stop": split}
    alternating = {
        "period": period,
        "first_agent_num_rounds": split,
        "first_agent": draw(st.booleans()),
    }
    delayed = {"start": split}
    return draw(
        st.sampled_from(
            [
                {"_type": "DelayedUpdateSchedule", "DelayedUpdateSchedule": delayed},
                {"_type": "ConstantUpdateSchedule", "ConstantUpdateSchedule": {}},
                {
                    "_type": "ContiguousPeriodicUpdateSchedule",
                    "ContiguousPeriodicUpdateSchedule": contiguous,
                },
                {
                    "_type": "AlternatingPeriodicUpdateSchedule",
                    "AlternatingPeriodicUpdateSchedule": alternating,
                },
            ]
        )
    )


@st.composite
def fields_of(draw: st.DrawFn, cls: type[SubParameters]) -> dict[str, Any]:
    """Draw some of the fields of a group, each right by itself."""
    rules = field_rules(cls)
    chosen = draw(st.sets(st.sampled_from(sorted(rules)))) if rules else set()
    fields: dict[str, Any] = {}
    for name in sorted(chosen):
        group_class = rules[name].group_class
        if group_class is UpdateSchedule:
            fields[name] = draw(schedules())
        elif group_class is LrFactors:
            # Equal, as they must be where actor and critic share a body.
            factor = draw(st.floats(0, 1e6, width=32, allow_subnormal=False))
            fields[name] = {"actor": factor, "critic": factor}
        elif group_class is None:
            fields[name] = draw(values_of(rules[name].annotation))
    return _made_to_fit(fields)


def _made_to_fit(fields: dict[str, Any]) -> dict[str, Any]:
    """Repair the combinations that are impossible."""
    fields.pop("use_manual_architecture", None)
    fields.pop("steps_per_env_per_iteration", None)
    # Messages of these trees have one position.
    fields.pop("mark_pairs", None)
    if fields.get("node_selector") == "similarity":
        fields["use_dual_gnn"] = True
    if "d_transformer" in fields or "num_heads" in fields:
        heads = fields.setdefault("num_heads", 4)
        fields["d_transformer"] = heads * fields.get("d_transformer", 1)
    if "minibatch_size" in fields:
        fields["frames_per_batch"] = fields["minibatch_size"] + 3
    elif fields.get("frames_per_batch") is not None:
        fields["minibatch_size"] = 1
    if fields.get("name") == "one_cycle":
        fields.pop("num_warmup", None)
    if fields.get("total") is not None:
        fields["total"] += fields.get("num_warmup", 0)
    if "milestones" in fields or fields.get("name") == "multistep":
        fields["milestones"] = sorted({1, *fields.get("milestones", ())})
    if fields.get("nesterov"):
        fields["momentum"] = 0.5
    if "load_checkpoint_and_parameters" in fields:
        fields["checkpoint_run_id"] = "another_run"
    if "temperature" in fields:
        fields.pop("top_p", None)
    if "base_url" in fields:
        fields["base_url"] = "http://localhost:8000/v1"
    if fields.get("stop"):
        fields["stop"] = ["END"]
    if "api_key_variable" in fields:
        fields["api_key_variable"] = "MY_KEY"
    if fields.get("extra_body"):
        fields["extra_body"] = {"top_k": 20}
    if "model_name" in fields:
        fields["model_name"] = "a model"
    if "base_run_type" in fields:
        fields["run_id"] = "another_run"
    if fields.get("linear_reward"):
        fields["decision_scale"] = "out_of_10"
    if fields.get("weighting_use_replacement") is False:
        fields["weighting_sample_size_factor"] = 0.5
    if fields.get("baseline") == "agent":
        fields["scale_rewards"] = "batch"
    fields.pop("shared_model_group", None)
    fields.pop("randomize_prover_stance", None)
    if "min_message_rounds" in fields or "max_message_rounds" in fields:
        fields["max_message_rounds"] = 8 + fields.get("min_message_rounds", 1)
    return fields


def parts_of(known: Registry[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Draw a list of parts that are chosen by name, each with some of its options."""
    return st.lists(
        st.sampled_from(known.names()).flatmap(
            lambda name: fields_of(known[name].parameters).map(
                lambda fields: _made_to_work(name, fields)
            )
        ),
        max_size=3,
    )


def _made_to_work(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Choose a part by its name, and repair what is impossible in its options."""
    fields["name"] = name
    if "monitor" in fields or name in ("best_checkpoint", "early_stopping"):
        fields["monitor"] = "mean_accuracy"
    if name == "average_agent_weights":
        fields["agents"] = ["prover", "verifier"]
    if fields.get("divergence") is not None:
        fields["threshold"] = None
    return fields


@st.composite
def trees(draw: st.DrawFn) -> HyperParameters:
    """Draw any tree of the built-in scenarios and protocols."""
    root = draw(
        st.fixed_dictionaries(
            {
                "interaction_protocol": st.sampled_from(get_args(InteractionProtocolType)),
                "seed": st.integers(0, 2**63),
                "test_size": st.floats(0.01, 0.99),
                "eval_every": st.none() | st.integers(1, 1000),
                "callbacks": parts_of(callback_specs),
                "loss_terms": parts_of(loss_term_specs),
            }
        )
    )
    root["scenario"] = scenario = draw(st.sampled_from(sorted(AGENT_CLASSES)))
    is_text = scenario in ("code_validation", "quotes")
    networks = ["reinforce", "solo_agent", "spg", "vanilla_ppo"]
    trainers = ["spg"] if scenario == "matrix_games" else networks
    if is_text:
        trainers = ["pure_text_ei", "pure_text_grpo", "pure_text_malt"]
    root["trainer"] = draw(st.sampled_from(trainers))
    refused = {"best_checkpoint"} if is_text else set()
    if root["trainer"] not in ("reinforce", "spg", "vanilla_ppo") or scenario == "matrix_games":
        refused |= {"attack", "label_leak", "silent_prover"}
        refused |= set() if is_text else {"constant_verifier"}
    root["callbacks"] = [each for each in root["callbacks"] if each["name"] not in refused]
    text = st.text(st.characters(codec="ascii", exclude_characters="\0"))
    root["dataset"] = DATASETS.get(scenario) or draw(text)
    agents: dict[str, Any] = {}
    for name in draw(st.sets(st.sampled_from(["_default", "prover", "verifier"]))):
        if not is_text and draw(st.booleans()):
            agents[name] = {"is_random": True, **draw(fields_of(RandomAgentParameters))}
        else:
            agents[name] = draw(fields_of(AGENT_CLASSES[scenario]))
    groups = {
        name: draw(fields_of(rule.group_class))
        for name, rule in field_rules(HyperParameters).items()
        if rule.group_class is not None
    }
    if groups["rl"].get("anneal_lr"):
        groups["lr_scheduler"].pop("name", None)
    modules = groups["local_training"].get("lora_target_modules", ())
    if not all(module.strip() for module in modules):
        del groups["local_training"]["lora_target_modules"]
    if is_text or scenario == "matrix_games":
        groups["protocol_common"].pop("zero_knowledge", None)
    if groups["protocol_common"].get("zero_knowledge"):
        groups["opponent_pool"].pop("agents", None)
    pooled = groups["opponent_pool"].get("agents", ())
    if len(set(pooled)) < len(pooled):
        groups["opponent_pool"]["agents"] = sorted(set(pooled))
    regression = groups["message_regression"]
    if (
        regression.get("regression_method") == "cnn"
        or regression.get("cnn_kernel_size", 1) % 2 == 0
    ):
        regression = {}
    groups["message_regression"] = regression if regression.get("agents", True) else {}
    return HyperParameters(**{**root, "agents": agents, **groups})


def leaves_of(tree: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Flatten a nested mapping to dotted names."""
    leaves: dict[str, Any] = {}
    for name, value in tree.items():
        dotted = f"{path}.{name}" if path else str(name)
        if isinstance(value, Mapping) and value:
            leaves |= leaves_of(value, dotted)
        else:
            leaves[dotted] = value
    return leaves
