"""Storage that hangs: files of one folder cannot be opened while the folder has a file `hangs`."""

HANGING = """
import os, sys, time
opens, hung = os.open, sys.argv.pop(1)

def open_slowly(path, flags, *more, **named):
    while os.path.dirname(os.path.realpath(path)) == hung and os.path.exists(hung + "/hangs"):
        open_waits = opens(hung + "/waits", os.O_WRONLY | os.O_CREAT)
        os.close(open_waits)
        time.sleep(0.05)
    return opens(path, flags, *more, **named)

os.open = open_slowly
from exporter.__main__ import main
sys.exit(main())
"""
"""The program, whose first argument is the folder. A file `waits` in it says that something waits."""
