"""The registry of engines: by what name each is asked for."""

from importlib import import_module

from ckptinspect.engines.base import Engine, Terms
from ckptinspect.errors import RefError
from ckptinspect.extensions import extension, names_of
from ckptinspect.text import quoted

ENGINES = {"local": "local:LocalEngine", "ray": "ray:RayEngine", "dask": "dask:DaskEngine"}
"""``module:class`` below ``ckptinspect.engines`` by name."""


def engine_of(name: str, terms: Terms | None = None) -> Engine:
    """The engine of this name. Raises RefError for a name that there is not."""
    if name not in ENGINES:
        if name not in names_of("engines"):
            there_are = ", ".join((*ENGINES, *names_of("engines")))
            raise RefError(f"{quoted(name)} is no engine", "--engine", f"choose one of {there_are}")
        added: type[Engine] = extension("engines", name, "map")
        return added(terms)
    module, _, kind = ENGINES[name].partition(":")
    found: type[Engine] = getattr(import_module(f"ckptinspect.engines.{module}"), kind)
    return found(terms)
