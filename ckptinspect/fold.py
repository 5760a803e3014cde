"""Names -> templates: names that differ in their digits only become one, so that deciding happens once for all."""

from collections.abc import Sequence

_DIGITS = b"0123456789"


def templates(names: Sequence[str], apart: tuple[str, ...] = ()) -> list[bytes]:
    """Each name without its digits, in UTF-8.

    A name that holds one of the marks in ``apart`` at the beginning of a word (``layers.61.``) keeps the
    digits of the mark, since its layer is not like the others.

    >>> templates(["model.layers.0.w1", "model.layers.61.w1"], apart=("layers.61.",))
    [b'model.layers..w', b'model.layers.61.w']
    """
    joined = "\n".join(names)
    folded = joined.encode().translate(None, _DIGITS).split(b"\n")
    if len(folded) != len(names):
        # A name with a line break in it: one by one.
        folded = [name.encode().translate(None, _DIGITS) for name in names]
    for mark in apart:
        if mark in joined:
            for index, name in enumerate(names):
                if name.startswith(mark) or f".{mark}" in name:
                    before, _, after = name.partition(mark)
                    folded[index] = _folded(before) + mark.encode() + _folded(after)
    return folded


def _folded(text: str) -> bytes:
    return text.encode().translate(None, _DIGITS)
