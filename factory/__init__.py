"""How the bundled model was made: a small CLIP trained from scratch on procedural scenes only; see README.md.

``pretrain`` (scenes -> weights), ``validate`` (synthetic scenes of left-out families -> metrics) and
``release`` (weights -> prompt vectors, thresholds, card and files in ``assets``) are run in this order.
Not shipped, and imported by nothing in ``zsad``.
"""
