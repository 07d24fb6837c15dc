"""Explanations: a language model's words on what a detector found, and whether they say what it found.

Frames are chosen by the scores, questions asked through the gateway, answers read to a value or a reason, and every
claim in them is held against scores, events and maps. What comes out is one document and one page.
"""
