"""Where it was measured, and how much memory is in use."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path


def facts(folder: Path) -> dict[str, str | int]:
    """This machine, and the file system of a folder."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": _value(Path("/proc/cpuinfo"), "model name") or platform.processor() or platform.machine(),
        "cores": os.cpu_count() or 0,
        "memory_bytes": _kilobytes(Path("/proc/meminfo"), "MemTotal"),
        "system": platform.platform(),
        "file_system": _file_system(folder),
        "python": platform.python_version(),
    }


def memory(pid: int) -> int:
    """The memory of a process in bytes, what it shares with others in proportion (PSS); 0 where nobody can tell."""
    return _kilobytes(Path(f"/proc/{pid}/smaps_rollup"), "Pss")


def family(pid: int) -> list[int]:
    """A process and its children."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        children = []
    return [pid, *map(int, children)]


def _kilobytes(path: Path, name: str) -> int:
    value = _value(path, name)
    return int(value.split()[0]) * 1024 if value else 0


def _value(path: Path, name: str) -> str:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == name), "")


def _file_system(folder: Path) -> str:
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return ""
    return max((len(point), kind) for point, kind in mounts if folder.resolve().is_relative_to(point))[1]
