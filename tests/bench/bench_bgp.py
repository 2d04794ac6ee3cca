#!/usr/bin/env python3
"""routeserverd as a route server beside BIRD, FRR, OpenBGPD and GoBGP, with the same load in the same run.

    bench_bgp.py BIN_DIR [--workload LETTER]... [--daemon NAME]... [--runs 3] [--timeout 120] [--json]
    bench_bgp.py BIN_DIR --callgrind [--workload LETTER]... [--timeout 120] [--json]

dial: from the first OPEN, all peers at once, until every session is Established. wall: from then, all announcing at once,
until every peer holds exactly what the others announced. cpu: user and system time of the
daemon from its start until then. rss: its peak. kill: one sender's connection ends, until nobody has its routes any more. single: one
route through an idle daemon. load: CPU time of the load itself, which must not be the bottleneck. Medians of the runs;
the ratio is that of routeserverd to the best of the four others. `reflect` copies messages and does nothing else: the
floor. With --callgrind: instructions of routeserverd for each route. Daemon and load are in network namespaces of their own; needs root.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

WORKLOADS = {  # peers, senders, routes of each sender, further options of the load
    "a": (8, 8, 1000, []),
    "b": (8, 8, 10000, []),
    "c": (8, 1, 200000, []),
    "d": (32, 32, 1000, []),
    "e": (3, 1, 1000000, []),
    "g": (8, 8, 10000, ["--own-attributes"]),
    "h": (100, 100, 100, []),
}
SERVER, ASN = "10.99.0.1", 65001
HOLD = 180
KEYS = ("dial_s", "wall_s", "cpu_s", "rss_mib", "kill_s", "load_cpu_s")


def peer_address(k):
    return f"10.99.{1 + k // 200}.{10 + k % 200}"


class Namespaces:
    """The daemon's and the load's, with one Ethernet between them."""

    def __init__(self):
        self.daemon, self.load = f"fabbgp{os.getpid()}d", f"fabbgp{os.getpid()}l"

    def __enter__(self):
        for name in (self.daemon, self.load):
            subprocess.run(["ip", "netns", "add", name], check=True)
            subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        subprocess.run(["ip", "-n", self.daemon, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0",
                        "netns", self.load], check=True)
        for name, addresses in ((self.daemon, [SERVER]), (self.load, [peer_address(k) for k in range(100)])):
            batch = "".join(f"addr add {a}/16 dev eth0\n" for a in addresses) + "link set eth0 up\n"
            subprocess.run(["ip", "-n", name, "-batch", "-"], input=batch, text=True, check=True)
        return self

    def __exit__(self, *_):
        for name in (self.daemon, self.load):
            subprocess.run(["ip", "netns", "del", name], check=False)


def topology(peers, routes):
    """A Route Server whose NVAs are the load."""
    limits = {"bgp_peers": max(peers, 8), "routes_per_peer": max(routes, 1000), "rs_prefixes": 1000000}
    nvas = {f"nva{k}": {"subnet": "hub/nva", "ip": f"10.99.{1 + k // 200}.{10 + k % 200}", "asn": ASN + k,
                        "bgp_listen": f"{peer_address(k)}:179", "run": ["true"]} for k in range(peers)}
    return json.dumps({
        "name": "bench", "timing": {"profile": "fast", "bgp": {"hold": f"{HOLD}s", "keepalive": "60s"}},
        "limits": limits,
        "vnets": {"hub": {"address_space": ["10.99.0.0/16"],
                          "subnets": {"RouteServerSubnet": "10.99.128.0/26", "nva": "10.99.0.0/17"}}},
        "route_servers": {"rs1": {"vnet": "hub", "peers": list(nvas), "bgp_listen": [f"{SERVER}:179", "127.0.0.2:179"]}},
        "nvas": nvas})


class Daemon:
    """Started in its namespace; pids are what is measured."""

    def __init__(self, top, bin_dir, names, peers, routes):
        self.top, self.bin, self.peers, self.routes = pathlib.Path(top), bin_dir, peers, routes
        self.names, self.started = names, []

    def spawn(self, *command, **kwargs):
        log = open(self.top / "log", "a", encoding="utf-8")
        self.started.append(subprocess.Popen(["ip", "netns", "exec", self.names.daemon, *map(str, command)],
                                             stdout=log, stderr=log, stdin=subprocess.DEVNULL, **kwargs))
        log.close()
        return self.started[-1]

    def write(self, name, text):
        path = self.top / name
        path.write_text(text, encoding="ascii")
        return path

    def measured(self):
        return [self.started[-1].pid]

    def cpu_s(self):
        """User and system time of all threads, to the nanosecond: the clock's ticks are too coarse for some of them."""
        return sum(int(path.read_text(encoding="ascii").split()[0]) for pid in self.measured()
                   for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9

    def rss_mib(self):
        def of(pid):
            status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
            return int(status.split("VmHWM:")[1].split()[0]) / 1024
        return sum(of(pid) for pid in self.measured())

    def stop(self):
        for process in reversed(self.started):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class RouteServerD(Daemon):
    name = "routeserverd"
    under = []

    def start(self):
        run = self.top / "run"
        run.mkdir()
        url = f"ipc://{run}/fabricd.ipc"
        self.spawn(self.bin / "fabricd", "--listen", url, "--run-dir", run,
                   "--topology", self.write("bench.yaml", topology(self.peers, self.routes)))
        until((run / "fabricd.ipc").exists, self)
        self.spawn(*self.under, self.bin / "routeserverd", "--fabric", url, "--name", "rs1-0", "--listen", f"ipc://{run}/rs1-0.ipc")


class Counted(RouteServerD):
    """Under valgrind, which counts instructions: the same from run to run, whatever else the machine does."""

    @property
    def under(self):
        return ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={self.top}/callgrind"]

    def instructions(self):
        """Until now, of all threads; and the functions that took most of them by themselves."""
        subprocess.run(["callgrind_control", "-d", str(self.measured()[0])], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        dump = self.top / "callgrind.1"
        total = int(dump.read_text(encoding="utf-8").split("\ntotals: ")[1].split()[0])
        told = subprocess.run(["callgrind_annotate", dump], check=True, capture_output=True, text=True).stdout
        return total, re.findall(r"^ *[\d,]+ \( *([\d.]+%)\)  \S*:(\w+)", told, re.M)[:12]


class Reflect(Daemon):
    name = "reflect"

    def start(self):
        self.spawn(self.bin / "bgp_load", "--reflect", SERVER, "--peers", self.peers)


class Bird(Daemon):
    name = "bird"

    def start(self):
        peers = "".join(f"protocol bgp p{k} from load {{ neighbor {peer_address(k)} as {ASN + k}; }}\n"
                        for k in range(self.peers))
        self.spawn("bird", "-f", "-c", self.write("bird.conf", f"""
router id {SERVER};
protocol device {{ }}
template bgp load {{
    local {SERVER} as 65515;
    hold time {HOLD};
    rs client;
    passive;
    ipv4 {{ import all; export all; }};
}}
{peers}"""), "-s", self.top / "bird.ctl", "-P", self.top / "bird.pid")


class Frr(Daemon):
    name = "frr"

    def start(self):
        lines = "".join(f" neighbor {peer_address(k)} remote-as {ASN + k}\n neighbor {peer_address(k)} passive\n"
                        for k in range(self.peers))
        clients = "".join(f"  neighbor {peer_address(k)} route-server-client\n" for k in range(self.peers))
        self.top.chmod(0o777)
        self.spawn("/usr/lib/frr/bgpd", "-f", self.write("frr.conf", f"""
router bgp 65515
 bgp router-id {SERVER}
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
{lines} address-family ipv4 unicast
{clients}{clients.replace("route-server-client", "activate")} exit-address-family
"""), "-Z", "-S", "-n", "-l", SERVER, "-i", self.top / "frr.pid", "--vty_socket", self.top, "-P", "0",
                   "--log", "stdout")


class OpenBgpd(Daemon):
    name = "openbgpd"

    def start(self):
        peers = "".join(f"neighbor {peer_address(k)} {{\nremote-as {ASN + k}\npassive\n}}\n" for k in range(self.peers))
        conf = self.write("bgpd.conf", f"""
AS 65515
router-id {SERVER}
fib-update no
listen on {SERVER}
transparent-as yes
socket "{self.top}/bgpd.sock"
group rs {{
announce IPv4 unicast
{peers}}}
allow from any
allow to any
""")
        conf.chmod(0o600)
        self.spawn(shutil.which("openbgpd") or "bgpd", "-d", "-f", conf)

    def measured(self):
        parent = self.started[-1].pid
        children = pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii")
        return [parent, *map(int, children.split())]


class GoBgp(Daemon):
    name = "gobgp"

    def start(self):
        peers = "".join(f"""
[[neighbors]]
  [neighbors.config]
    neighbor-address = "{peer_address(k)}"
    peer-as = {ASN + k}
  [neighbors.transport.config]
    passive-mode = true
  [neighbors.route-server.config]
    route-server-client = true
""" for k in range(self.peers))
        self.spawn("gobgpd", "-f", self.write("gobgp.toml", f"""
[global.config]
  as = 65515
  router-id = "{SERVER}"
  local-address-list = ["{SERVER}"]
{peers}"""), "--api-hosts", f"unix://{self.top}/gobgp.sock", "-l", "error")


DAEMONS = [Reflect, RouteServerD, Bird, Frr, OpenBgpd, GoBgp]
OTHERS = [cls.name for cls in DAEMONS[2:]]


def until(condition, daemon, timeout=30):
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"bench: {daemon.name} does not start: {(daemon.top / 'log').read_text(encoding='utf-8')[-500:]}")
        time.sleep(0.02)


class TooSlow(Exception):
    pass


def listens(names):
    out = subprocess.run(["ip", "netns", "exec", names.daemon, "ss", "-Hltn", "sport", "=", ":179"],
                         capture_output=True, text=True, check=False).stdout
    return out.strip() != ""


class Load:
    """bgp_load, phase by phase."""

    def __init__(self, bin_dir, names, timeout, *options):
        self.timeout = timeout
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", names.load, bin_dir / "bgp_load", "--remote", SERVER, "--local", peer_address(0),
             *map(str, options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def phase(self):
        signal.setitimer(signal.ITIMER_REAL, self.timeout)
        try:
            line = self.process.stdout.readline()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        if not line:
            raise TooSlow("load has ended")
        return json.loads(line)

    def go_on(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def stop(self):
        self.process.kill()
        self.process.communicate()


def on_alarm(*_):
    raise TooSlow("timeout")


def life(cls, args, names, peers, routes, options, measure):
    """What measure() makes of a daemon and its load; None: too slow, or one of them gives up."""
    with tempfile.TemporaryDirectory(prefix="fab-bench-") as top:
        daemon = cls(top, args.bin_dir, names, peers, routes)
        load = None
        try:
            daemon.start()
            until(lambda: listens(names), daemon)
            load = Load(args.bin_dir, names, args.timeout, *options)
            return measure(daemon, load)
        except TooSlow as why:
            print(f"bench: {cls.name}: {why}", file=sys.stderr)
            return None
        finally:
            if load:
                load.stop()
            daemon.stop()


def once(cls, args, names, peers, senders, routes, options):
    def measure(daemon, load):
        result = load.phase()
        result["cpu_s"] = daemon.cpu_s()
        if cls is not Reflect:
            load.go_on()
            result |= load.phase()
        result["rss_mib"] = daemon.rss_mib()
        return result
    return life(cls, args, names, peers, routes,
                ["--peers", peers, "--senders", senders, "--routes", routes, *options], measure)


def single(cls, args, names):
    return life(cls, args, names, 2, 1000, ["--single", 100], lambda daemon, load: load.phase())


def count(args, names, letter):
    """Instructions until every receiver has every route, beyond those of a daemon without routes, for each route."""
    peers, senders, routes, options = WORKLOADS[letter]

    def lived(n):
        def measure(daemon, load):
            load.phase()
            return daemon.instructions()
        return life(Counted, args, names, peers, max(n, 1),
                    ["--peers", peers, "--senders", senders, "--routes", max(n, 1), *options], measure)
    base, loaded = lived(1), lived(routes)
    if base is None or loaded is None:
        return None
    each = (loaded[0] - base[0]) / (senders * (routes - 1))
    return {"instructions": loaded[0], "without_routes": base[0], "per_route": round(each),
            "per_route_and_receiver": round(each / (peers - 1)), "functions": loaded[1]}


def several(cls, args, names, workload):
    """Lives of a daemon until one is too slow: the next one would be, too."""
    lives = []
    while len(lives) < args.runs and (life := once(cls, args, names, *workload)):
        lives.append(life)
    return medians(lives)


def medians(lives):
    keys = {key for life in lives for key in life}
    return {key: {"median": statistics.median(life[key] for life in lives if key in life),
                  "min": min(life[key] for life in lives if key in life),
                  "max": max(life[key] for life in lives if key in life)} for key in keys}


def show(letter, workload, rows):
    peers, senders, routes, options = workload
    print(f"({letter}) {peers} peers, {senders} x {routes} routes {' '.join(options)}".rstrip())
    print(f"{'':14}" + "".join(f"{key:>12}" for key in KEYS) + f"{'wall min':>12}")
    for name, row in rows.items():
        print(f"{name:14}" + "".join(f"{row[key]['median']:>12.4f}" if key in row else f"{'-':>12}" for key in KEYS) +
              (f"{row['wall_s']['min']:>12.4f}" if row else ""))
    ours, others = rows.get("routeserverd"), [rows[name] for name in OTHERS if rows.get(name)]
    if ours and others:
        def ratio(key):
            known = [row[key]["median"] for row in others if key in row]
            return ours[key]["median"] / max(min(known), 1e-9) if known and key in ours else None
        ratios = {key: ratio(key) for key in KEYS[:5]}
        print(f"{'x best other':14}" + "".join(f"{r:>12.2f}" if r is not None else f"{'-':>12}"
                                             for r in ratios.values()), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bin_dir", type=lambda p: pathlib.Path(p).resolve())
    parser.add_argument("--workload", action="append", choices=[*WORKLOADS, "single"])
    parser.add_argument("--daemon", action="append", choices=[cls.name for cls in DAEMONS])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--timeout", type=float, default=120)
    parser.add_argument("--callgrind", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    signal.signal(signal.SIGALRM, on_alarm)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    daemons = [cls for cls in DAEMONS if not args.daemon or cls.name in args.daemon]
    result = {}
    with Namespaces() as names:
        for letter in args.workload or (["b"] if args.callgrind else [*WORKLOADS, "single"]):
            if args.callgrind:
                rows = count(args, names, letter)
                if rows and not args.json:
                    print(f"({letter}) {rows['per_route']} instructions a route, {rows['per_route_and_receiver']} a route and "
                          f"receiver ({rows['instructions'] / 1e6:.1f} million in all)")
                    for share, function in rows["functions"]:
                        print(f"{share:>8}  {function}")
            elif letter == "single":
                rows = {cls.name: single(cls, args, names) for cls in daemons if cls is not Reflect}
                if not args.json:
                    print("one route through an idle daemon")
                    for name, row in rows.items():
                        print(f"{name:14}" + (f"  p50 {row['p50_us']:.0f} us, p99 {row['p99_us']:.0f} us" if row else "  -"))
            else:
                rows = {cls.name: several(cls, args, names, WORKLOADS[letter]) for cls in daemons}
                if not args.json:
                    show(letter, WORKLOADS[letter], rows)
            result[letter] = rows
    if args.json:
        print(json.dumps(result, indent=2))


main()
