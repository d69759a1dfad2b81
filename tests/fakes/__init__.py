"""Stages that misbehave, for the watchdog."""
