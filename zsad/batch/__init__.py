"""Many images to Parquet: by processes of this machine, or by Ray Data on any number of them.

``inputs`` lists what is to be scored (folders, patterns, tar ``shards``, Parquet ``lists``); ``job`` scores a chunk of
it in a worker and writes its ``rows``; ``processes`` and ``on_ray`` are the two engines; ``folder`` is the output,
which knows what is done; ``run`` puts them together.
"""
