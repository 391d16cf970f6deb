"""Lets a test turn the clock of a program: CLOCK names a file with seconds to add.

Python imports this by itself when it starts, if the folder is on PYTHONPATH.
"""
import os
import time

real = time.time


def turned():
    with open(os.environ["CLOCK"]) as f:
        return real() + float(f.read() or 0)


time.time = turned
