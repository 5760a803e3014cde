"""``python -m ckptinspect``, and what the console script calls."""

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line; an interrupt while it is still being imported ends as one that comes later does."""
    try:
        from ckptinspect.cli.main import main as command_line

        command_line()
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
