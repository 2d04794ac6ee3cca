#!/usr/bin/env python3
"""What the data plane carries, beside a direct veth and a plain Linux router in the same run.

    bench_packets.py BIN_DIR TOPOLOGY [--seconds 4] [--rounds 3] [--engine ENGINE]... [--json]

TCP with one and with four streams (iperf3, cubic), UDP with 64 octets, round trips (ping). Needs root
and iperf3. The machine is shared, so look at the ratios: each round measures every path once, and what
is printed is the median over the rounds. The router is measured with and without RPS (which suits TCP or
small packets), and what it did better counts.
"""
import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile

# path -> (client, server, address of the server); the fabric's own are read from the topology's names.
FABRIC = {"vm-vm": ("vm11", "jump1", "10.1.10.4"), "vm-nva-vm": ("vm11", "vm12", "10.12.0.4")}
ENGINES = ("userspace", "bpf", "taps")
TCP_1, TCP_4, UDP, RTT = "TCP 1, Gbit/s", "TCP 4, Gbit/s", "UDP 64, kpps", "RTT, us"

# What each engine is to reach of the plain router: TCP on every path; packets from VM to VM.
AIMS = {"userspace": {TCP_1: 0.6, TCP_4: 0.6}, "bpf": {TCP_1: 0.95, TCP_4: 0.95, UDP: 0.9}}


def sh(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Namespaces:
    """The references: two hosts on one veth, and two hosts with a router between them."""

    def __init__(self, stack):
        self.tag = f"fabbench{os.getpid()}"
        self.stack = stack

    def add(self, name, rps=True):
        full = f"{self.tag}-{name}"
        sh("ip", "netns", "add", full)
        self.stack.callback(sh, "ip", "netns", "del", full)
        mask = (1 << os.cpu_count()) - 1 if rps else 0
        sh("ip", "netns", "exec", full, "sysctl", "-qw", f"net.core.rps_default_mask={mask:x}")
        return full

    def wire(self, a, a_addr, b, b_addr):
        names = f"w{a[-2:]}{b[-2:]}".replace("-", ""), f"w{b[-2:]}{a[-2:]}".replace("-", "")
        sh("ip", "-n", a, "link", "add", names[0], "type", "veth", "peer", names[1], "netns", b)
        for ns, dev, addr in ((a, names[0], a_addr), (b, names[1], b_addr)):
            sh("ip", "-n", ns, "addr", "add", addr, "dev", dev)
            sh("ip", "-n", ns, "link", "set", dev, "up")

    def direct(self):
        a, b = self.add("a1"), self.add("b1")
        self.wire(a, "192.0.2.1/24", b, "192.0.2.2/24")
        return f"/run/netns/{a}", f"/run/netns/{b}", "192.0.2.2"

    def routed(self, rps):
        a, r, b = (self.add(f"{name}{2 + rps}", rps) for name in "arb")
        self.wire(a, "192.0.2.1/24", r, "192.0.2.254/24")
        self.wire(b, "198.51.100.1/24", r, "198.51.100.254/24")
        sh("ip", "netns", "exec", r, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        sh("ip", "-n", a, "route", "add", "default", "via", "192.0.2.254")
        sh("ip", "-n", b, "route", "add", "default", "via", "198.51.100.254")
        return f"/run/netns/{a}", f"/run/netns/{b}", "198.51.100.1"


class Fabric:
    def __init__(self, stack, bin_dir, topology, engine):
        self.top = stack.enter_context(tempfile.TemporaryDirectory(prefix="fab-bench-"))
        self.run_dir = f"{self.top}/run"
        self.fabctl = [f"{bin_dir}/fabctl", "--url", f"ipc://{self.run_dir}/fabricd.ipc"]
        sh(self.fabctl[0], "up", topology, "--packets", "on", "--engine", engine, "--run-dir", self.run_dir)
        stack.callback(sh, *self.fabctl, "down")

    def path(self, client, server, address):
        return f"{self.run_dir}/guests/{client}", f"{self.run_dir}/guests/{server}", address


@contextlib.contextmanager
def iperf_server(netns):
    server = subprocess.Popen(["nsenter", f"--net={netns}", "iperf3", "-s", "-1", "--forceflush"],
                              stdout=subprocess.PIPE, text=True)
    try:
        for line in server.stdout:
            if "Server listening" in line:
                break
        yield
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def iperf(path, *options):
    client, server, address = path
    with iperf_server(server):
        return json.loads(sh("nsenter", f"--net={client}", "iperf3", "-J", "-c", address, *options))["end"]


def measure(path, seconds):
    tcp = ["-t", str(seconds), "-C", "cubic"]
    udp = iperf(path, "-u", "-b", "0", "-l", "64", "-t", str(seconds))["sum"]
    ping = sh("nsenter", f"--net={path[0]}", "ping", "-q", "-c", "1000", "-i", "0.001", path[2])
    return {TCP_1: iperf(path, *tcp)["sum_received"]["bits_per_second"] / 1e9,
            TCP_4: iperf(path, *tcp, "-P", "4")["sum_received"]["bits_per_second"] / 1e9,
            UDP: (udp["packets"] - udp["lost_packets"]) / udp["seconds"] / 1e3,
            RTT: float(ping.rsplit("=", 1)[1].split("/")[1]) * 1e3}


def run(args):
    with contextlib.ExitStack() as stack:
        hosts = Namespaces(stack)
        paths = {"direct veth": hosts.direct(), "router": hosts.routed(False), "router, RPS": hosts.routed(True)}
        for engine in args.engine or ENGINES:
            fabric = Fabric(stack, args.bin_dir, args.topology, engine)
            paths.update({f"{engine} {name}": fabric.path(*ends) for name, ends in FABRIC.items()})
        rounds = [{name: measure(path, args.seconds) for name, path in paths.items()}
                  for _ in range(args.rounds)]
    return {name: {key: statistics.median(r[name][key] for r in rounds) for key in rounds[0][name]}
            for name in paths}


def best_router(result):
    a, b = result["router"], result["router, RPS"]
    return {key: (min if key == RTT else max)(a[key], b[key]) for key in a}


def missed_aims(ratios):
    for name, row in ratios.items():
        engine, _, path = name.partition(" ")
        for key, aim in AIMS.get(engine, {}).items():
            if row[key] < aim and (key in (TCP_1, TCP_4) or path == "vm-vm"):
                yield f"{name}: {key}: {row[key]:.2f} x plain router, {aim} are due"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bin_dir")
    parser.add_argument("topology")
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engine", action="append", choices=ENGINES)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    result = run(args)
    router = best_router(result)
    ratios = {name: {key: (value / router[key]) for key, value in result[name].items()} for name in result}
    if args.json:
        print(json.dumps({"paths": result, "ratios": ratios}))
    else:
        print(f"{'path':20}" + "".join(f"{key:>22}" for key in router))
        for name, row in result.items():
            print(f"{name:20}" + "".join(f"{v:>14.2f} ({ratios[name][k]:4.2f}x)" for k, v in row.items()))
    missed = list(missed_aims(ratios))
    for line in missed:
        print(f"aim missed: {line}", file=sys.stderr)
    return 1 if missed else 0


sys.exit(main())
