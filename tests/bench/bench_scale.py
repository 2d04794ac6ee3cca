#!/usr/bin/env python3
"""What estates of growing size cost on this host: processes, memory, time to converge and to fail over.

    bench_scale.py BIN_DIR [--size REGIONSxSPOKES]... [--json]

A region is a hub with a Route Server and two NVAs, one of them active with a default route, and spokes of one VM each.
Control plane only. Memory is resident memory of all processes of a kind; failover is from the kill of an NVA until
`fabctl wait` answers that a VM of its region has the other one's route.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

SIZES = ["1x10", "1x499", "4x125", "8x250", "16x499", "32x499"]


def topology(regions, spokes):
    vnets, peerings, servers, nvas, vms = {}, [], {}, {}, {}
    for r in range(regions):
        vnets[f"hub{r}"] = {"region": f"region{r}", "address_space": [f"10.{r}.0.0/16"],
                            "subnets": {"RouteServerSubnet": f"10.{r}.0.0/26", "nva": f"10.{r}.2.0/24"}}
        servers[f"rs{r}"] = {"vnet": f"hub{r}", "peers": [f"nva{r}a", f"nva{r}b"]}
        for i, letter in enumerate("ab"):
            nvas[f"nva{r}{letter}"] = {"subnet": f"hub{r}/nva", "ip": f"10.{r}.2.{4 + i}", "asn": 65001 + i,
                                       "advertise": [{"prefix": "0.0.0.0/0", "prepend": 2 * i}]}
        for s in range(spokes):
            net = (10 << 24) + (128 << 16) + (r << 17) + (s << 8)
            prefix = ".".join(str(net >> shift & 255) for shift in (24, 16, 8))
            name = f"spoke{r}-{s}"
            vnets[name] = {"region": f"region{r}", "address_space": [f"{prefix}.0/24"], "subnets": {"vms": f"{prefix}.0/25"}}
            vms[f"vm{r}-{s}"] = {"subnet": f"{name}/vms", "ip": f"{prefix}.4"}
        peerings.append({"hub": f"hub{r}", "spoke": [f"spoke{r}-{s}" for s in range(spokes)]})
    return json.dumps({"name": "scale", "timing": "fast", "vnets": vnets, "peerings": peerings, "route_servers": servers,
                       "nvas": nvas, "vms": vms})


def rss_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def measure(bin_dir, regions, spokes):
    with tempfile.TemporaryDirectory(prefix="fab-bench-") as top:
        file = pathlib.Path(top) / "scale.yaml"
        file.write_text(topology(regions, spokes), encoding="ascii")
        fabctl = [f"{bin_dir}/fabctl", "-o", "json", "--run-dir", f"{top}/run"]

        def ask(*args):
            return json.loads(subprocess.run([*fabctl, *args], check=True, stdout=subprocess.PIPE).stdout)
        begin = time.monotonic()
        try:
            ask("up", str(file), "--packets", "off", "--wait", "10m")
            took = time.monotonic() - begin
            memory = {}
            nodes = ask("ps")
            for node in nodes:
                memory[node["kind"]] = memory.get(node["kind"], 0) + rss_mib(node["pid"])
            begin = time.monotonic()
            subprocess.run([*fabctl, "kill", "nva0a"], check=True, stdout=subprocess.DEVNULL)
            ask("wait", f"effective vm0-{spokes - 1} 0.0.0.0/0 via 10.0.2.5", "--timeout", "60s")
            failover = time.monotonic() - begin
        finally:
            subprocess.run([*fabctl, "down"], check=False, stdout=subprocess.DEVNULL)
    return {"regions": regions, "spokes": regions * spokes, "vnets": regions * (spokes + 1), "nics": regions * (spokes + 2),
            "processes": len(nodes), "up_s": round(took, 2), "failover_ms": round(failover * 1000, 1),
            "mib": {kind: round(m, 1) for kind, m in memory.items()}, "mib_total": round(sum(memory.values()), 1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bin_dir")
    parser.add_argument("--size", action="append", metavar="REGIONSxSPOKES")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    results = []
    if not args.json:
        print(f"{'estate':>8} {'NICs':>6} {'processes':>9} {'up s':>7} {'failover ms':>11} {'fabricd MiB':>11} {'RS MiB':>7} "
              f"{'NVA MiB':>8} {'all MiB':>8}")
    for size in args.size or SIZES:
        try:
            regions, spokes = (int(n) for n in size.split("x"))
            if not (1 <= regions <= 64 and 1 <= spokes <= 499):
                raise ValueError
        except ValueError:
            parser.error(f"'{size}' is not REGIONSxSPOKES, at most 64x499 (RS-24)")
        try:
            r = measure(args.bin_dir, regions, spokes)
        except subprocess.CalledProcessError as why:  # fabctl has said it
            sys.exit(f"bench: {size}: '{' '.join(why.cmd[1:])}' ended with {why.returncode}")
        results.append(r)
        if not args.json:
            print(f"{size:>8} {r['nics']:>6} {r['processes']:>9} {r['up_s']:>7} {r['failover_ms']:>11} "
                  f"{r['mib']['fabric']:>11} {r['mib']['route_server']:>7} {r['mib']['nva']:>8} {r['mib_total']:>8}", flush=True)
    if args.json:
        print(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
