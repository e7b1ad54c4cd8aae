"""A kernel without seccomp filters."""

from tests.support.refusing_kernels import JOBS, refuse_seccomp

__all__ = ["JOBS"]

refuse_seccomp()
