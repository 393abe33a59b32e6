"""Run a command as a job of a run of the workflow, given its script and arguments.

The job ends as soon as its run does, also in the seconds that importing torch takes.
"""

import runpy
import sys

from videomae import liveness

if __name__ == "__main__":
    liveness.end_with_run()
    del sys.argv[0]
    runpy.run_path(sys.argv[0], run_name="__main__")
