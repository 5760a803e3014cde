"""How names and numbers are written for people: one byte formatter, one way to make a hostile name harmless, one
way around a terminal that lacks a character.
"""

import codecs
from collections.abc import Sequence

# What is drawn and said beyond ASCII, and what stands for it on a stream that has no such character.
_SPELLINGS = dict(zip("×·–─│├└", "x---|+`", strict=True))
_SPELLINGS |= {"…": "...", "→": "->", "≤": "<=", "≥": ">=", "≈": "~", "²": "^2", "\u00a0": " "}
SPELLED = "ckptinspect.spelled"
"""The name of the error handler by which a stream spells out what it cannot encode."""


def _spelled(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_SPELLINGS.get(char) or _escape(char) for char in missing), error.end


codecs.register_error(SPELLED, _spelled)


def encodable(text: str, encoding: str) -> str:
    r"""``text`` as a stream of this encoding shows it: the signs that it lacks are spelled, other letters escaped.

    >>> encodable("2 × 3 … ü", "ascii"), encodable("2 × 3 … ü", "latin-1"), encodable("2 × 3 … ü", "utf-8")
    ('2 x 3 ... \\xfc', '2 × 3 ... ü', '2 × 3 … ü')
    """
    return text if text.isascii() else text.encode(encoding, SPELLED).decode(encoding)


def escaped(text: str) -> str:
    r"""``text`` with every character that could act on a terminal or reorder a line written as an escape.

    >>> escaped("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def spelled_out(text: str) -> str:
    r"""``text`` with what no encoding can write (a byte of a file's name that is not UTF-8) as an escape.

    >>> spelled_out("caf\udce9.safetensors")
    'caf\\udce9.safetensors'
    """
    return text.encode(errors="backslashreplace").decode()


def shortened(text: str, limit: int) -> str:
    """``text``, cut in the middle when it is longer than ``limit``."""
    if len(text) <= limit:
        return text
    half = (limit - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def quoted(name: str, limit: int = 80) -> str:
    r"""A name from a file, quoted for a message: escaped, and cut in the middle when it is long.

    >>> quoted("lm_head.weight"), quoted("x" * 200, limit=9)
    ("'lm_head.weight'", "'xxxx…xxxx'")
    """
    return f"'{escaped(shortened(name, limit))}'"


def number_of(count: int, noun: str, plural: str | None = None) -> str:
    """A count with its noun.

    >>> number_of(1, "shard"), number_of(1200, "tensor"), number_of(2, "entry", "entries")
    ('1 shard', '1,200 tensors', '2 entries')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def listed(items: Sequence[str]) -> str:
    """A list as a sentence has it.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    *others, last = items
    return f"{', '.join(others)} and {last}" if others else last


def few(names: Sequence[str], limit: int = 4) -> str:
    """The first few of some names, in the order given.

    >>> few(["a", "b", "c"], 2), few(["a"])
    ('a, b, …', 'a')
    """
    return ", ".join(names[:limit]) + (", …" if len(names) > limit else "")


def shape_text(shape: Sequence[int]) -> str:
    """A shape.

    >>> shape_text((7168, 2048)), shape_text(())
    ('[7168, 2048]', '[]')
    """
    return f"[{', '.join(map(str, shape))}]"


def bytes_text(count: int) -> str:
    """A byte count in decimal units (1 kB = 1000 B).

    >>> bytes_text(16_060_522_496), bytes_text(999), bytes_text(5_100_000)
    ('16.06 GB', '999 B', '5.10 MB')
    """
    return _scaled(count, 1000, (" B", " kB", " MB", " GB", " TB", " PB", " EB"))


def binary_text(count: int) -> str:
    """A byte count in binary units (1 GiB = 2**30 B).

    >>> binary_text(28_000_000_000)
    '26.08 GiB'
    """
    return _scaled(count, 1024, (" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"))


def count_text(count: int) -> str:
    """A count of elements in short: thousands K, millions M, billions B, trillions T.

    >>> count_text(8_291_375_616), count_text(768)
    ('8.29B', '768')
    """
    return _scaled(count, 1000, ("", "K", "M", "B", "T"))


def _scaled(count: int, base: int, units: tuple[str, ...]) -> str:
    if count < 0:
        return "-" + _scaled(-count, base, units)
    power = 0
    while count >= base ** (power + 1) and power + 1 < len(units):
        power += 1
    if power == 0:
        return f"{count}{units[0]}"
    # By integers: a hostile count of 2**200 must not overflow a float.
    hundredths = (count * 100 + base**power // 2) // base**power
    if hundredths >= base * 100 and power + 1 < len(units):
        # 999,996 is 1.00M, not 1000.00K.
        return _scaled(base ** (power + 1), base, units)
    return f"{hundredths // 100}.{hundredths % 100:02d}{units[power]}"
