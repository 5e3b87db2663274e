"""Starts the command line: ``mlp`` and ``python -m mlp``."""

import sys


def main() -> None:
    """Runs the command that the arguments of this process name, and ends the process with its exit code."""
    try:
        from mlp.cli.main import run
    except KeyboardInterrupt:  # Ctrl-C within the first moments
        sys.exit(130)
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
