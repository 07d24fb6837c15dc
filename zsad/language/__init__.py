"""Language models: one gateway that asks any OpenAI-compatible endpoint, and the published systems on it.

Everything that asks goes through :class:`~zsad.language.gateway.Gateway`: cache, budget, retries, record and replay
live there. Every parser of an answer returns a value or a reason, never a guess.
"""
