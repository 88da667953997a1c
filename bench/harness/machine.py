"""Where and when something was measured: what every figure is printed with."""

import datetime
import os
import pathlib
import platform
import statistics
import subprocess
import time


def lines(path):
    try:
        return pathlib.Path(path).read_text().splitlines()
    except OSError:
        return []


def run(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def cpu():
    models = [line.partition(":")[2].strip() for line in lines("/proc/cpuinfo") if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def memory_gb():
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)


def flush_latency(directory, writes=300):
    """Microseconds to append 4 KiB to a file and have the disk keep it, which bounds what a durable start can take."""
    path = directory / "flush-latency"
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    times = []
    try:
        for _ in range(writes):
            begin = time.perf_counter()
            os.write(file, b"x" * 4096)
            getattr(os, "fdatasync", os.fsync)(file)
            times.append((time.perf_counter() - begin) * 1e6)
    finally:
        os.close(file)
        path.unlink()
    return summary(times)


def summary(values):
    """What is kept of many numbers: the quantiles by nearest rank, and how many there were."""
    ordered = sorted(values)

    def quantile(share):
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)

    return {
        "count": len(ordered),
        "min": round(ordered[0], 1),
        "p50": round(statistics.median(ordered), 1),
        "p90": quantile(0.9),
        "p99": quantile(0.99),
        "max": round(ordered[-1], 1),
    }


class Stamp:
    """Taken before a section and closed after it."""

    def __init__(self, directory, commit_of):
        disk = run("findmnt", "--noheadings", "--output", "SOURCE,FSTYPE", "--target", str(directory)).split()
        if disk[-1:] in (["tmpfs"], ["ramfs"]):
            raise SystemExit(f"error: {directory} is memory, not a disk; set CARGO_TARGET_DIR to a folder on a disk")
        self.stamp = {
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "machine": f"{cpu()}, {os.cpu_count()} cores, {memory_gb()} GB",
            "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
            "disk": " ".join(disk),
            "flush_us": flush_latency(directory),
            "commit": run("git", "-C", str(commit_of), "describe", "--always", "--dirty", "--exclude", "*"),
            "versions": {"rustc": run("rustc", "--version"), "python": platform.python_version()},
            "load_before": self.load(),
        }

    @staticmethod
    def load():
        return [round(value, 2) for value in os.getloadavg()]

    def close(self, versions, seconds):
        self.stamp["versions"].update(versions)
        self.stamp["load_after"] = self.load()
        self.stamp["seconds"] = round(seconds, 1)
        return self.stamp
