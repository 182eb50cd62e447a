"""Sides that take turns: times of one run alone can be compared, and what they are is their ratio."""

import os
import platform
import statistics
import subprocess
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
TURNS = 7
BESIDE_ITSELF = {".h5 to .h5", ".json + .pth to .h5", "1,000 of them", "3,000 of them", "4 GiB of them", "the plain module"}


@dataclass
class Row:
    """The median time of what h5bridge does, as a ratio to that of another who does the same."""

    part: str
    what: str
    ms: float
    to: str
    ratio: float
    most: float | None = None  # that the ratio may be
    is_aim: bool = False       # which is then what is aimed at, not what has to be

    def is_beside_itself(self):
        """Whether the other side is h5bridge, too, at other work: which of the two takes longer says nothing of others."""
        return self.to in BESIDE_ITSELF

    def holds(self):
        return self.most is None or self.ratio <= self.most


@dataclass
class Memory:
    """The largest anonymous memory that a command had, which may be a fixed part and some for each layer."""

    what: str
    mib: float
    most: float

    def holds(self):
        return self.mib <= self.most


@dataclass
class Report:
    rows: list[Row] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what could not be measured

    def add(self, row):
        self.rows.append(row)
        most = "" if row.most is None else f"   {'aim' if row.is_aim else 'most'} {row.most:g}" + ("" if row.holds() else "  <-- over")
        print(f"{row.what:48} {row.ms:10.2f} ms {row.ratio:7.3f} to {row.to}{most}", flush=True)

    def add_memory(self, what, command, layers):
        peak = Memory(what, peak_mib(command), 64 + layers * 4 / 1024)
        self.memory.append(peak)
        print(f"{what:48} {peak.mib:10.1f} MiB   most {peak.most:.0f}" + ("" if peak.holds() else "  <-- over"), flush=True)

    def note(self, text):
        self.notes.append(text)
        print(f"({text})", flush=True)

    def compare(self, part, what, ours, others, most=None, is_aim=False):
        """Runs `ours` and each of `others`, {name: work}, in turns. `most`: of the ratio, for all of them or {name: ratio}."""
        times = medians({"": ours, **others})
        for name in others:
            limit = most.get(name) if isinstance(most, dict) else most
            self.add(Row(part, what, times[""] * 1000, name, times[""] / times[name], limit, is_aim))

    def as_json(self):
        return {"machine": machine(), "turns": TURNS, "rows": [asdict(row) for row in self.rows],
                "memory": [asdict(peak) for peak in self.memory], "notes": self.notes}  # fmt: skip


def peak_mib(command):
    """The largest anonymous memory of a command, looked at each millisecond: the kernel keeps no peak without files."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        peak = max([peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:"))])
        time.sleep(0.001)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return peak / 1024


def medians(sides):
    """The median seconds of each side's work."""
    times = {name: [] for name in sides}
    for _ in range(TURNS):
        for name, work in sides.items():
            start = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(each) for name, each in times.items()}


def machine():
    """What the figures hold for."""
    models = {line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")}
    return {"processor": ", ".join(sorted(models)), "cores": len(os.sched_getaffinity(0)), "system": f"{platform.system()} on {platform.machine()}",
            "busy": os.getloadavg()[0]}  # fmt: skip
