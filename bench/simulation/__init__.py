"""A model of deployments that are larger than this machine: `python -m bench.simulation`.

`costs.py` has what the bench measured, `deployment.py` the use of each resource, and `latency.py` plays the way of
events through one web process, event by event. docs/capacity.md has the results.
"""
