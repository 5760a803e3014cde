"""``python -m ckptinspect``."""

from ckptinspect.cli.main import main

main()
