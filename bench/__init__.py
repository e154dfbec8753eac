"""Benchmarks: every figure is a ratio of two things measured in one run, side by side. `make bench` prints the
table.
"""
