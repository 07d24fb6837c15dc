"""Thresholds from good parts, with a statement that holds whatever their scores look like; and the test for drift."""
