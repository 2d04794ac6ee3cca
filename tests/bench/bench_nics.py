#!/usr/bin/env python3
"""How long a host takes to bring up many NICs, and what its switch needs for them.

    bench_nics.py BIN_DIR [--nics 1000] [--runs 3] [--engine ENGINE] [--json]

Time is that of `fabctl up`: every guest's namespace, NIC, address and tables. Aims: 1,000 NICs in under 10 s,
vswitchd below 100 MB. Then a ping between two guests shows that the NICs are more than names. Needs root.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

AIM_UP_S, AIM_MIB = 10, 100
PER_SPOKE = 200


def topology(nics):
    """A hub with a Route Server, and as many spokes of PER_SPOKE VMs as it takes."""
    spokes = range((nics + PER_SPOKE - 1) // PER_SPOKE)
    vnets = {"hub": {"address_space": ["10.1.0.0/16"], "subnets": {"RouteServerSubnet": "10.1.0.0/26"}}}
    vnets |= {f"spoke{s}": {"address_space": [f"10.{s + 10}.0.0/16"], "subnets": {"vms": f"10.{s + 10}.0.0/24"}}
              for s in spokes}
    vms = {f"vm{i}": {"subnet": f"spoke{i // PER_SPOKE}/vms", "ip": f"10.{i // PER_SPOKE + 10}.0.{i % PER_SPOKE + 4}"}
           for i in range(nics)}
    return json.dumps({"name": "nics", "timing": "fast", "vnets": vnets, "vms": vms,
                       "route_servers": {"rs1": {"vnet": "hub"}},
                       "peerings": [{"hub": "hub", "spoke": f"spoke{s}"} for s in spokes]})


def rss_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def life(args):
    """From up to down: seconds until up, MiB of vswitchd."""
    with tempfile.TemporaryDirectory(prefix="fab-bench-") as top:
        file = pathlib.Path(top) / "nics.yaml"
        file.write_text(topology(args.nics), encoding="ascii")
        fabctl = [f"{args.bin_dir}/fabctl", "-o", "json", "--run-dir", f"{top}/run"]
        engine = ["--engine", args.engine] if args.engine else []
        start = time.monotonic()
        try:
            subprocess.run([*fabctl, "up", file, "--packets", "on", *engine], check=True, stdout=subprocess.PIPE)
            took = time.monotonic() - start
            nodes = json.loads(subprocess.run([*fabctl, "ps"], check=True, stdout=subprocess.PIPE).stdout)
            memory = rss_mib(next(node["pid"] for node in nodes if node["name"] == "vswitchd"))
            subprocess.run([*fabctl, "exec", f"vm{args.nics - 1}", "ping", "-n", "-c", "1", "-W", "1",
                            f"10.{(args.nics - 1) // PER_SPOKE + 10}.0.4"], check=True, stdout=subprocess.DEVNULL)
        finally:
            subprocess.run([*fabctl, "down"], check=True, stdout=subprocess.DEVNULL)
    return took, memory


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bin_dir")
    parser.add_argument("--nics", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--engine", choices=["auto", "userspace", "bpf", "taps"])
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    lives = [life(args) for _ in range(args.runs)]
    result = {"nics": args.nics, "up_s": [round(took, 2) for took, _ in lives],
              "vswitchd_mib": round(max(memory for _, memory in lives), 1)}
    median = statistics.median(result["up_s"])
    if args.json:
        print(json.dumps(result))
    else:
        print(f"{args.nics} NICs up, {args.runs} runs: median {median:.2f} s, max {max(result['up_s']):.2f} s; "
              f"vswitchd {result['vswitchd_mib']} MiB")
    missed = [aim for aim, reached in ((f"up in under {AIM_UP_S} s", median < AIM_UP_S),
                                       (f"vswitchd below {AIM_MIB} MiB", result["vswitchd_mib"] < AIM_MIB))
              if not reached]
    for aim in missed:
        print(f"aim missed: {aim}", file=sys.stderr)
    return 1 if missed else 0


sys.exit(main())
