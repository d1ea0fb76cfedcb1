"""Builders: one function for each kind of object the world holds. They are pure: values in, a whole object out."""
