"""Analysis of finished dialogues by questions that a language model or code answers."""

from nip.rollout_analysis.analyser import Analyser, ComputedAnalyser, ModelAnalyser
from nip.rollout_analysis.options import AnalysisOptions
from nip.rollout_analysis.registry import analyser_registry, register_analyser
from nip.rollout_analysis.running import AnalysisResult, plan_analyses, run_analysers
from nip.rollout_analysis.subject import Subject
from nip.rollout_analysis.summary import SummaryRow
