"""Published rows computed again: is a number what it claims to be?"""
