"""`headroom prune`: one model of a user, made smaller and measured."""
