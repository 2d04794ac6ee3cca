#!/usr/bin/env python3
"""Failover on the wire: what 1,000 packets a second from a spoke VM lose while the active NVA dies.

    bench_failover_packets.py BIN_DIR TOPOLOGIES [--runs 50] [--kind process|machine] [--nva bird|nvad]
                              [--engine ENGINE] [--json]

process: SIGKILL to the NVA's routing software; its kernel goes on forwarding. Aim: nothing lost.
machine: `fabctl kill nva1 --guest`: its link goes down, then all its processes die. Aim: at most 20 lost
         with timing: fast.

Traffic between the spokes goes through nva1 (10.1.2.4) while it lives and through nva2 (10.1.2.5) when it
does not: BIRD and FRR, or two nvad. Needs root. An outage lasts from the sending of the
first lost packet to the next arrival. --json has the longest gap between two arrivals too, in which the
machine's other work has its share.
"""
import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time

KINDS = {"process": ([], 0), "machine": (["--guest"], 20)}  # options of kill, aim
TOPOLOGY = {"bird": "active-passive-packets.yaml", "nvad": "multi-region.yaml"}  # by what nva1 is
ACTIVE, PASSIVE = "10.1.2.4", "10.1.2.5"
STEADY_S = 0.5  # of undisturbed traffic before the fault and after its end


class Run:
    """A fabric, and one fault after the other."""

    def __init__(self, args):
        self.top = tempfile.TemporaryDirectory(prefix="fab-bench-")
        self.fabctl = [f"{args.bin_dir}/fabctl", "-o", "json", "--url", f"ipc://{self.top.name}/run/fabricd.ipc"]
        self.pps = str(args.pps)
        engine = ["--engine", args.engine] if args.engine else []
        self.ask("up", f"{args.topologies}/{TOPOLOGY[args.nva]}", "--run-dir", f"{self.top.name}/run", "--packets",
                 "on", *engine)

    def ask(self, *args):
        done = subprocess.run(self.fabctl + list(args), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"bench: fabctl {' '.join(args)}: {done.stderr.strip()}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def goes_via(self, hop):
        self.ask("wait", f"effective vm11 0.0.0.0/0 via {hop}", "--timeout", "60s")

    def fault(self, options):
        """One fault under traffic, and the way back. Returns the probe's report."""
        self.ask("wait", "converged", "--timeout", "60s")
        self.goes_via(ACTIVE)
        command = self.fabctl + ["probe", "vm11", "vm12", "--pps", self.pps, "--duration", "1h"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as probe:
            time.sleep(STEADY_S)  # a span that is measured, not a wait
            self.ask("kill", "nva1", *options)
            self.goes_via(PASSIVE)
            time.sleep(STEADY_S)
            probe.send_signal(signal.SIGINT)
            told = json.loads(probe.communicate()[0])
        self.ask("start", "nva1")
        if told["path_before"][1] != "nva1" or told["path_after"][1] != "nva2":
            sys.exit(f"bench: not a failover from nva1 to nva2: {told}")
        return told

    def close(self):
        self.ask("down")
        self.top.cleanup()


def spread(values):
    values = sorted(values)
    return {"min": values[0], "median": statistics.median(values),
            "p99": values[min(len(values) - 1, len(values) * 99 // 100)], "max": values[-1]}


def measure(args):
    run, result = Run(args), {}
    try:
        for kind in args.kind or KINDS:
            reports = [run.fault(KINDS[kind][0]) for _ in range(args.runs)]
            result[kind] = {"runs": args.runs, "sent": sum(r["sent"] for r in reports),
                            "lost": spread([r["lost"] for r in reports]),
                            "outage_ms": spread([r["outage_ms"] for r in reports]),
                            "gap_ms": spread([r["longest_gap_ms"] for r in reports])}
    finally:
        run.close()
    return result


def show(result):
    print(f"{'what dies':10}{'runs':>6}  " + "".join(f"{f'{what} {key}':>18}" for what in ("lost", "outage ms")
                                                     for key in ("min", "median", "p99", "max")))
    for kind, row in result.items():
        print(f"{kind:10}{row['runs']:>6}  " + "".join(f"{v:>18g}" for v in row["lost"].values()) +
              "".join(f"{v:>18.1f}" for v in row["outage_ms"].values()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bin_dir")
    parser.add_argument("topologies")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--kind", choices=[*KINDS], action="append")
    parser.add_argument("--nva", choices=[*TOPOLOGY], default="bird")
    parser.add_argument("--pps", type=int, default=1000)
    parser.add_argument("--engine", choices=["auto", "userspace", "bpf", "taps"])
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    result = measure(args)
    if args.json:
        print(json.dumps(result))
    else:
        show(result)
    missed = [kind for kind, row in result.items() if row["lost"]["max"] > KINDS[kind][1]]
    for kind in missed:
        print(f"aim missed: at most {KINDS[kind][1]} lost when the {kind} dies", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
