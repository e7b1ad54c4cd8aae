"""A kernel with neither protection: workers have all rights of their user."""

from tests.support.refusing_kernels import JOBS, refuse_landlock, refuse_seccomp

__all__ = ["JOBS"]

refuse_landlock()
refuse_seccomp()
