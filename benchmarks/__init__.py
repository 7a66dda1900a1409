"""Benchmarks: ratios of two tasks timed in one run on one machine."""
