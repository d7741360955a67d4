"""The text of a method file that a test completes."""

FILE = '''"""Removes units in some order, for a test."""

from headroom.api import Grain, Method, Plan, Track


class Tested(Method):
    name = "tested"
    title = "Tested"
    paper = "none"
    scores = False
    {declares}

    def removes(self):
        return (Grain.HEAD,)

    def plans(self, ctx, targets):
        {body}
'''
IN_ORDER = "for target in targets: yield Plan(target, ctx.units.first(ctx.units.all, target))"
