"""Measured, never asserted: `python -m tests.benchmarks --help`. Nothing here runs with the tests."""
