#!/usr/bin/env python3
"""What 1,000 packets a second lose while each daemon of a fabric gets kill -9.

    bench_kills.py BIN_DIR TOPOLOGIES [--runs 5] [--json]

multi-region; each victim is dead for half a second, then started again. Between the spokes packets go
through nva1, to the site by an edge router of the circuit, from the site through a gateway instance. Aim:
nothing lost when fabricd or one Route Server instance dies. Needs root.
"""
import argparse
import json
import signal
import subprocess
import sys
import time

from bench_failover_packets import Run, spread

VICTIMS = [("fabricd", "vm11", "vm12"), ("rs1-0", "vm11", "vm12"), ("rs1-1", "vm11", "vm12"),
           ("vswitchd", "vm11", "vm12"),
           ("er1-0", "dc1", "vm11"), ("er1-1", "dc1", "vm11"),
           ("circuit1-primary", "vm11", "dc1"), ("circuit1-secondary", "vm11", "dc1"),
           ("circuit1-primary", "dc1", "vm11"), ("circuit1-secondary", "dc1", "vm11")]
NOTHING_LOST = {"fabricd", "rs1-0", "rs1-1"}
SPAN_S = 0.5  # before the kill, while it is dead, and afterwards


def kill(run, victim, src, dst):
    command = run.fabctl + ["probe", src, dst, "--duration", "1h"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as probe:
        time.sleep(SPAN_S)  # spans that are measured, not waits
        run.ask("kill", victim)
        time.sleep(SPAN_S)
        run.ask("start", victim)
        run.ask("wait", "converged", "--timeout", "60s")
        time.sleep(SPAN_S)
        probe.send_signal(signal.SIGINT)
        return json.loads(probe.communicate()[0])


def measure(args):
    run, rows = Run(args), []
    try:
        for victim, src, dst in VICTIMS:
            reports = [kill(run, victim, src, dst) for _ in range(args.runs)]
            rows.append({"victim": victim, "src": src, "dst": dst, "sent": sum(r["sent"] for r in reports),
                         "lost": spread([r["lost"] for r in reports]),
                         "outage_ms": spread([r["outage_ms"] for r in reports]),
                         "gap_ms": spread([r["longest_gap_ms"] for r in reports])})
    finally:
        run.close()
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bin_dir")
    parser.add_argument("topologies")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--engine", choices=["auto", "userspace", "bpf", "taps"])
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    args.nva, args.pps = "nvad", 1000
    rows = measure(args)
    if args.json:
        print(json.dumps(rows))
    else:
        print(f"{'kill -9':20}{'packets':14}{'lost median':>12}{'max':>7}{'gap ms median':>15}{'max':>9}")
        for r in rows:
            print(f"{r['victim']:20}{r['src'] + ' > ' + r['dst']:14}{r['lost']['median']:>12g}{r['lost']['max']:>7g}"
                  f"{r['gap_ms']['median']:>15.1f}{r['gap_ms']['max']:>9.1f}")
    missed = {r["victim"] for r in rows if r["victim"] in NOTHING_LOST and r["lost"]["max"] > 0}
    for victim in sorted(missed):
        print(f"aim missed: packets lost when {victim} dies", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
