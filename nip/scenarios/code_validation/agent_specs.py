"""Agent specs of code validation: those of the built-in protocols."""

from nip.scenario_base.text.standard_specs import register_standard_specs

SCENARIO = "code_validation"

register_standard_specs(SCENARIO)
