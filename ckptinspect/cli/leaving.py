"""The end of the process."""

import atexit
import os
import sys
import threading
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End the process with this exit code.

    An interpreter that shuts down frees every object one by one, which the system does at once: for a large
    checkpoint that is a tenth of the whole run. So it is not asked to, where nothing else waits for it: no function
    to be called at exit (log files, temporary folders, coverage), no thread, no profiler, no prompt.
    """
    watched = sys.gettrace() is not None or sys.getprofile() is not None or sys.flags.interactive or sys.flags.inspect
    if watched or atexit._ncallbacks() or threading.active_count() > 1:  # noqa: SLF001 - no other way to ask
        sys.exit(code)
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except (AttributeError, OSError, ValueError):
        # There is no such stream, or nobody reads it: the interpreter knows what to say of that.
        sys.exit(code)
    os._exit(code)
