"""Conformance: the checks that every method file has to pass, for pytest and for the command line."""
