"""Opponent shaping: gradient rules of players that anticipate what the others will learn."""
