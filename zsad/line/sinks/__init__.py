"""Whom a station tells, after a part is recorded: through the outbox, by following the rows, or by showing the last."""
