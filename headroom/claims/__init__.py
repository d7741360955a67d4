"""The papers' testable predictions as code: each claim looks at the records, or tries something on the model itself.

A claim is one small function in the file of its paper. What it predicts, with its threshold, is the sentence above it.
The figure decides, but where its 95 % interval holds the threshold the verdict is "undecided".
"""
