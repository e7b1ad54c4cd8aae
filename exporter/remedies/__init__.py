"""What remedies share: whose configuration they are for, and the lines that change it.

Pure. The remedy of a check is in the check's own file. What several checks need, or what is long, is here and takes
facts and plain values. A remedy does not turn on anything that the server does not have now, unless the policy requires
it or nothing else would be left. A remedy is about its own check. Where two findings give a list for the same setting,
the entries in both lists are right.
"""
