"""Speed and memory as ratios, each against a reference of the same run: `python -m tests.benchmarks`."""
