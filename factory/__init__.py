"""How the bundled model is made: a small CLIP trained from scratch on procedural scenes only.

``pretrain`` (scenes -> weights), ``validate`` (synthetic scenes of left-out families -> metrics) and
``release`` (weights -> prompt vectors, thresholds, card and files in ``assets``) are run in this order.
"""
