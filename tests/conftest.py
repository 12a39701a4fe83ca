"""For all tests: how long one takes on a busy machine says nothing about whether it is right."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
