"""What every test may ask for: each plug-in below says what it gives."""

pytest_plugins = ["tests.left_out", "tests.postgres", "tests.servers"]
