#!/usr/bin/env python3
"""What a running fabric costs: start-up time, memory of each daemon, CPU while idle.

    bench_fabric.py BIN_DIR TOPOLOGY [--runs 5] [--idle 20] [--json]

Memory is RSS from /proc/PID/status, CPU is user + system time of all processes over the idle span,
in per cent of one core.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

TICK = os.sysconf("SC_CLK_TCK")


def rss_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Run:
    """One life of the fabric, from up to down."""

    def __init__(self, bin_dir, topology):
        self.top = tempfile.TemporaryDirectory(prefix="fab-bench-")
        self.run_dir = f"{self.top.name}/run"
        self.fabctl = [f"{bin_dir}/fabctl", "-o", "json", "--url", f"ipc://{self.run_dir}/fabricd.ipc"]
        start = time.monotonic()
        self.info = self.ask("up", topology, "--run-dir", self.run_dir)
        self.wall_s = time.monotonic() - start
        self.nodes = {n["name"]: n["pid"] for n in self.ask("ps")}

    def ask(self, *args):
        done = subprocess.run(self.fabctl + list(args), check=True, capture_output=True, text=True)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def idle_cpu_percent(self, span_s):
        """A measurement, not a wait: nothing happens in the fabric meanwhile."""
        before = sum(cpu_s(pid) for pid in self.nodes.values())
        start = time.monotonic()
        time.sleep(span_s)
        spent = time.monotonic() - start
        return 100 * (sum(cpu_s(pid) for pid in self.nodes.values()) - before) / spent

    def close(self):
        self.ask("down", "--run-dir", self.run_dir)
        self.top.cleanup()


def measure(args):
    ups, memory, idle = [], {}, None
    for i in range(args.runs):
        run = Run(args.bin_dir, args.topology)
        try:
            ups.append(run.info["converged_ms"])
            if i == args.runs - 1:
                idle = run.idle_cpu_percent(args.idle)
                memory = {name: rss_kib(pid) for name, pid in run.nodes.items()}
        finally:
            run.close()
    return {"processes": len(memory), "runs": args.runs, "up_ms": sorted(ups),
            "up_median_ms": statistics.median(ups), "idle_cpu_percent": round(idle, 2),
            "rss_max_kib": max(memory.values()), "rss_kib": memory}


def missed(result):
    aims = [("up to converged at most 2 s", result["up_median_ms"] <= 2000),
            ("idle CPU at most 2 %", result["idle_cpu_percent"] <= 2),
            ("at most 8 MiB for each daemon", result["rss_max_kib"] <= 8192)]
    return [aim for aim, reached in aims if not reached]


def show(args, result):
    print(f"{args.topology}: {result['processes']} processes")
    print(f"up to converged, {args.runs} runs: median {result['up_median_ms']:.0f} ms, "
          f"max {result['up_ms'][-1]} ms")
    print(f"idle CPU of the whole fabric over {args.idle:.0f} s: {result['idle_cpu_percent']} % of a core")
    biggest = sorted(result["rss_kib"].items(), key=lambda item: -item[1])
    print("memory (RSS): " + ", ".join(f"{n} {k / 1024:.1f} MiB" for n, k in biggest[:5])
          + f" ... {biggest[-1][0]} {biggest[-1][1] / 1024:.1f} MiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bin_dir")
    parser.add_argument("topology")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--idle", type=float, default=20)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    result = measure(args)
    if args.json:
        print(json.dumps(result))
    else:
        show(args, result)
    for aim in missed(result):
        print(f"aim missed: {aim}", file=sys.stderr)
    return 1 if missed(result) else 0


sys.exit(main())
