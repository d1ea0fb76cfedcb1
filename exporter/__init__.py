"""Tells, with numbers, whether a KubeVirt upgrade goes well, and proves afterwards that it went well.

This module holds the version and nothing else: importing the package does nothing. The program starts in `__main__`.
"""

__version__ = "0.1.0"
