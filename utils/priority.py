"""A process's priority, also where the system schedules whole sessions.

Linux with autogroups shares the processor between sessions first: a process of its own session (every service is one)
is not slower for others by its nice value alone. Its session's value, /proc/PID/autogroup, is set as well.
"""

import os
from pathlib import Path

import psutil

AUTOGROUP = Path("/proc/self/autogroup")


def set_priority(nice: int, pid: int = 0) -> str:
    """Priority of a process (0: this one) and of its session, as far as the system allows (below 0 needs a privilege).

    Returns why it stays as it is, "" where it was set. The session's is set only by the session's leader.
    """
    words = ("BELOW_NORMAL_PRIORITY_CLASS", "ABOVE_NORMAL_PRIORITY_CLASS")
    try:
        own = psutil.Process(pid or None)
        own.nice(getattr(psutil, words[nice < 0], nice))  # Windows knows classes, psutil has their names only there
        if hasattr(os, "getsid") and os.getsid(own.pid) == own.pid and AUTOGROUP.exists():
            Path(f"/proc/{own.pid}/autogroup").write_text(str(nice), "ascii")
    except (psutil.Error, OSError) as problem:
        return str(problem) or type(problem).__name__
    return ""
