"""Agent specs of ``quotes``: the verifier sees the claim only."""

from nip.scenario_base.text.standard_specs import register_standard_specs

SCENARIO = "quotes"

register_standard_specs(SCENARIO, verifier_sees=("solution",))
