"""The profile ``shapes``: real shapes with random weights, because speed does not depend on what the weights are.

A pipeline of its own, for it has neither training nor quality: a machine, one timing stage a shape, and the tables.
"""
