"""Runs jobs: plans segments, hands them to workers, commits what they produce."""
