"""What the patterns of a checkpoint's configs may cost, all of them together."""

WORK = 500_000
"""In elements of sets of states (see ``patterns.py``): about half a second. Real configs take a hundredth of it."""


class SpentError(Exception):
    """The budget is spent: what the patterns say is not known."""


class Budget:
    """The work that is left.

    >>> budget = Budget(3)
    >>> budget.spend(2)
    >>> budget.left
    1
    """

    def __init__(self, work: int = WORK) -> None:
        self.left = work

    def spend(self, work: int) -> None:
        """Take so much off. Raises SpentError once nothing is left, and from then on."""
        self.left -= work
        if self.left < 0:
            raise SpentError
