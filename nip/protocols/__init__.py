"""Interaction protocols: who speaks when, who hears it, and who is rewarded."""

from nip.protocols.handler import ProtocolHandler
from nip.protocols.registry import build_protocol_handler, protocol_registry, register_protocol
from nip.protocols.rules import AgentRewards, Decision, ProtocolRules, Timetable, Turn
