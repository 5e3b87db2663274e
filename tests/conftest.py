"""What every test may ask for: each plug-in below says what it gives."""

from hypothesis import settings

pytest_plugins = ["tests.left_out", "tests.postgres", "tests.servers"]

# A deadline would be a timed assertion, and these machines are shared.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")
