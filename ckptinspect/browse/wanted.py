"""What of a checkpoint is to be seen, and the tree of it."""

import re
from fnmatch import translate

import msgspec

from ckptinspect.analysis.count import count
from ckptinspect.analysis.lines import branch
from ckptinspect.analysis.tree import by_module, tied_lines, top_lines
from ckptinspect.browse.catalogue import Catalogue, Numbers
from ckptinspect.browse.outline import Outline
from ckptinspect.errors import RefError
from ckptinspect.model import Checkpoint
from ckptinspect.report.tensors import no_match


class Wanted(msgspec.Struct, frozen=True):
    """What of a checkpoint is to be seen: the tensors whose names match a glob, those of one module."""

    match: str | None = None
    module: str | None = None

    def of(self, checkpoint: Checkpoint) -> Catalogue:
        """The tensors that are wanted.

        Needs a checkpoint that was opened with its names. Raises RefError for a module that there is not, and for a
        glob that no name matches.
        """
        catalogue = Catalogue(checkpoint, count(checkpoint))
        if self.module is not None or self.match is not None:
            catalogue.only = self._numbers(catalogue)
        if self.match is not None and not catalogue.all:
            raise RefError(no_match(self.match).message)
        return catalogue

    def _numbers(self, catalogue: Catalogue) -> Numbers:
        found: Numbers = range(len(catalogue))
        if self.module is not None:
            by_module(zip(catalogue.tensors, catalogue.rows, strict=True), self.module)
            found = [number for number in found if catalogue.rows[number].place.module == self.module]
        if self.match is not None:
            matches = re.compile(translate(self.match)).match
            found = [number for number in found if matches(catalogue.names[number])]
        return found


def outline_of(catalogue: Catalogue) -> Outline:
    """The tree of all that is in a catalogue."""
    if catalogue.only is None:
        pairs = zip(catalogue.tensors, catalogue.rows, strict=True)
        return Outline(branch("", None, top_lines(pairs, tied_lines(catalogue.counted))))
    some = ((catalogue.tensors[number], catalogue.rows[number]) for number in catalogue.only)
    return Outline(branch("", None, top_lines(some)))
