"""Every error that ckptinspect raises on purpose.

::

    CkptInspectError            what went wrong, where, and what to try
    ├── RefError                the argument names nothing that can be looked up      (usage)
    ├── SourceError             the bytes could not be had                            (source)
    │   ├── NotFoundError       no such file, folder, repository or revision
    │   ├── AccessError         it exists, and is gated, private or unreadable
    │   ├── UnreachableError    no answer: network, server, offline mode
    │   └── ShortReadError      fewer bytes, or other bytes, than were asked for
    ├── FormatError             the bytes are not what they claim to be               (format)
    │   ├── HeaderError         the safetensors header cannot be read
    │   ├── LayoutError         header and file do not fit together
    │   └── IndexMismatchError  index, shards and folder do not fit together
    ├── UnavailableError        a package or device that this needs is missing        (unavailable)
    └── EngineError             the engine that ran the work failed                   (engine)
"""

from typing import ClassVar, Self


class CkptInspectError(Exception):
    """One sentence for a person: ``where: what; hint``. Survives pickling, so that workers can raise it.

    >>> str(NotFoundError("no such file", where="model.safetensors", hint="check the spelling"))
    'model.safetensors: no such file; check the spelling'
    """

    kind: ClassVar[str] = "error"

    def __init__(self, what: str, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(what, where, hint)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        sentence = self.what if self.where is None else f"{self.where}: {self.what}"
        return sentence if self.hint is None else f"{sentence}; {self.hint}"

    def __reduce__(self) -> tuple[type[Self], tuple[str, str | None, str | None]]:
        return type(self), (self.what, self.where, self.hint)

    def at(self, where: str) -> Self:
        """The same error, with ``where`` put in front of the place that it already names.

        >>> str(HeaderError("expected int, got bool", where="'w'.shape[0]").at("a.safetensors"))
        "a.safetensors: 'w'.shape[0]: expected int, got bool"
        """
        place = where if self.where is None else f"{where}: {self.where}"
        return type(self)(self.what, place, self.hint)


class RefError(CkptInspectError):
    """The argument names nothing that can be looked up."""

    kind = "usage"


class SourceError(CkptInspectError):
    """The bytes could not be had."""

    kind = "source"


class NotFoundError(SourceError):
    """No such file, folder, repository or revision."""


class AccessError(SourceError):
    """It exists, but is gated, private or unreadable."""


class UnreachableError(SourceError):
    """No answer: the network, the server, or offline mode."""


class ShortReadError(SourceError):
    """Fewer bytes, or other bytes, than were asked for."""


class FormatError(CkptInspectError):
    """The bytes are not what they claim to be."""

    kind = "format"


class HeaderError(FormatError):
    """The safetensors header cannot be read."""


class LayoutError(FormatError):
    """Header and file do not fit together."""


class IndexMismatchError(FormatError):
    """Index, shards and folder do not fit together."""


class UnavailableError(CkptInspectError):
    """A package or device that this needs is missing; the hint names it."""

    kind = "unavailable"


class EngineError(CkptInspectError):
    """The engine that ran the work failed."""

    kind = "engine"
