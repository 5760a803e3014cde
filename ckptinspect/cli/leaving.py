"""The end of the process."""

import atexit
import os
import sys
import threading
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End the process with this exit code.

    An interpreter that shuts down frees every object one by one, which the system does at once: for a large
    checkpoint that is a tenth of the whole run. So it is not asked to, where nothing needs it: no other thread, no
    profiler, no prompt. What was to be called at exit (log files, temporary folders, coverage) is called.
    """
    if _watched() or threading.active_count() > 1:
        sys.exit(code)
    atexit._run_exitfuncs()  # noqa: SLF001 - as the interpreter would, and nobody else may
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except (AttributeError, OSError, ValueError):
        # There is no such stream, or nobody reads it: the interpreter knows what to say of that.
        sys.exit(code)
    os._exit(code)


def _watched() -> bool:
    """Whether a debugger, a profiler or a prompt has something to do yet."""
    if sys.flags.interactive or sys.flags.inspect or sys.gettrace() is not None or sys.getprofile() is not None:
        return True
    # From Python 3.12 on they may watch by another way.
    monitoring = getattr(sys, "monitoring", None)
    return monitoring is not None and any(monitoring.get_tool(tool) is not None for tool in range(6))
