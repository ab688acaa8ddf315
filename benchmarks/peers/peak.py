"""The largest memory that this process has held, in MiB; 0 where the system does not tell.

Not `getrusage`: after a fork its figure begins with the parent's.
"""

from pathlib import Path


def mib() -> int:
    """Peak resident memory."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024
