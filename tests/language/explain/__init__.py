"""Explanations: choices, evidence, pages, and the commands end to end."""
