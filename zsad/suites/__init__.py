"""Suites -> runs -> results/*.json -> tables and a report; and how fast a detector is.

``suite`` reads what to run, ``run`` runs it class by class and resumes, ``record`` says how and on what, ``tables``
and ``page`` show it beside published numbers, ``speed`` measures latency, throughput and memory.
"""
