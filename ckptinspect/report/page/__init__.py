"""A report as one file for a browser."""

from ckptinspect.report.page.whole import render

__all__ = ["render"]
