"""A kernel without Landlock."""

from tests.support.refusing_kernels import JOBS, refuse_landlock

__all__ = ["JOBS"]

refuse_landlock()
