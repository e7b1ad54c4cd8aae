"""What remedies have in common: whose configuration they are for, and the lines that change it.

Pure. The remedy of a check is in the check's own file; what several need, or what is long, is here and takes facts and
plain values. A remedy turns nothing on that the server does not have now, unless the policy requires it or nothing else
would be left. It is about its own check; where two findings give a list for the same setting, what is in both is right.
"""
