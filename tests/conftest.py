"""How the property tests run: the same examples every time in CI, others on every machine that looks for more.

And where tests keep headers: in a folder of their own, never in the user's cache.
"""

import atexit
import os
import shutil
import tempfile

from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("here", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")

os.environ["CKPTINSPECT_CACHE"] = tempfile.mkdtemp(prefix="ckptinspect-tests-")
atexit.register(shutil.rmtree, os.environ["CKPTINSPECT_CACHE"], ignore_errors=True)
