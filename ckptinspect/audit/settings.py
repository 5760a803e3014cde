"""The audit's part of a configuration file: ``[audit]`` of ckptinspect.toml, ``[tool.ckptinspect.audit]`` of
pyproject.toml.
"""

import os
from collections.abc import Mapping

import msgspec

from ckptinspect.errors import NotFoundError, RefError
from ckptinspect.text import quoted

_OWN = "ckptinspect.toml"
_SHARED = "pyproject.toml"
_LARGEST = 1_000_000


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """What a project has settled: the command line's options of the same names, and the settings of single rules.

    ``rules`` maps a rule's name or code to its settings; ``severity`` is one that every rule has. A ``baseline`` is
    looked for beside the file that names it.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fail_on: str | None = None
    baseline: str | None = None
    rules: dict[str, dict[str, object]] = {}


def settings_near(folder: str) -> Settings:
    """The settings of the nearest configuration file from ``folder`` upwards; the defaults where there is none."""
    folder = os.path.abspath(folder)
    while True:
        for name in (_OWN, _SHARED):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and (found := _settings_in(path, optional=name == _SHARED)) is not None:
                return found
        above = os.path.dirname(folder)
        if above == folder:
            return Settings()
        folder = above


def settings_at(path: str) -> Settings:
    """The settings of this file. Raises NotFoundError or RefError."""
    if not os.path.isfile(path):
        raise NotFoundError("no such file", path, "check the spelling of --config")
    return _settings_in(path, optional=False) or Settings()


def _settings_in(path: str, *, optional: bool) -> Settings | None:
    import tomllib

    try:
        with open(path, "rb") as file:
            values = tomllib.loads(file.read(_LARGEST).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise RefError(f"it cannot be read as TOML: {error}", path, "mend it, or name another with --config") from None
    shared = os.path.basename(path) == _SHARED
    section: object = values
    for key in ("tool", "ckptinspect", "audit") if shared else ("audit",):
        section = section.get(key) if isinstance(section, Mapping) else None
    if section is None:
        return None if optional else Settings()
    return _beside(_checked(section, path, "tool.ckptinspect.audit" if shared else "audit"), path)


def _checked(section: object, path: str, where: str) -> Settings:
    try:
        return msgspec.convert(section, Settings)
    except msgspec.ValidationError as error:
        message = str(error).replace("$", where, 1)
        what = f"{message[:1].lower()}{message[1:]}"
        raise RefError(
            f"[{where}] is wrong: {what}", path, "it takes select, ignore, fail-on, baseline and rules"
        ) from None


def _beside(settings: Settings, path: str) -> Settings:
    if settings.baseline is None:
        return settings
    if not settings.baseline:
        raise RefError(f"{quoted('baseline')} is empty", path, "name a file")
    return msgspec.structs.replace(settings, baseline=os.path.join(os.path.dirname(path), settings.baseline))
