"""Stage 3, words -> two unit vectors: *normal* and *anomalous*.

``bank`` (words as data) and ``store`` (trained prompts on disk) work without torch; ``ensemble`` (words ->
vectors), ``learner`` (trainable prompts) and ``published`` (foreign checkpoints) need it.
"""
