"""Harness of the process tests: real daemons, started and driven through fabctl.

    class MyTest(FabricTestCase):
        topology = "topologies/multi-region.yaml"    # or text, see `topology_text`
        def test_x(self):
            self.fabric.json("routes", "effective", "vm11")

The build under test is FAB_BUILD (default build/debug). Nothing here sleeps and hopes: `until()` polls a
condition with a deadline. After each test class the fabric is taken down and nothing may be left: no
process, no file; and no log may have anything of a sanitizer or an assertion, leaks at exit included.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("FAB_BUILD", ROOT / "build/debug")).resolve()
BIN = BUILD / "bin"
POLL_S = 0.02
os.environ.setdefault("FAB_PACKETS", "off")  # who wants packets says so, see FabricTestCase.packets
FAILURE = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error: |assertion failed: ")


def until(condition, what, timeout=15.0):
    """Polls until condition() is true and returns its value; fails with `what` after timeout seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what() if callable(what) else what}")
        time.sleep(POLL_S)


def find_program(*names):
    """Path of the first program that is installed; /usr/sbin is searched for ordinary users too."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/lib/frr"
    for name in names:
        found = shutil.which(name, path=path)
        if found:
            return found
    return None


def process_state(pid):
    """State letter of a process ("S", "T", "Z", ...) or None when it is gone."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return stat.rsplit(")", 1)[1].split()[0]


def processes_using(path):
    """Pids of all live processes whose command line or working directory mentions path."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(path) in words and process_state(entry.name) not in (None, "Z"):
            found.append(int(entry.name))
    return found


def cannot_have_packets(*programs):
    """Why there can be no guests here, or None; programs are what the test runs in them."""
    if os.geteuid() != 0:
        return "packets need root"
    if not os.path.exists("/dev/net/tun"):
        return "packets need /dev/net/tun"
    missing = [name for name in ("unshare", *programs) if find_program(name) is None]
    if missing:
        return f"{', '.join(missing)} not installed"
    done = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False)
    return None if done.returncode == 0 else "network namespaces cannot be made here"


def cannot_have_bpf():
    """Why vswitchd cannot move packets by BPF here, or None; packets can be had."""
    done = subprocess.run(["unshare", "--net", BIN / "vswitchd", "--engine", "bpf", "--name", "x", "--fabric",
                           "ipc:///nowhere", "--listen", "ipc:///nowhere/x"], capture_output=True, text=True,
                          check=False)
    return done.stderr.strip() if done.returncode == 4 else None


class Fabctl(Exception):
    """fabctl answered with another exit code than expected."""


class Fabric:
    """One running fabric in a run directory of its own."""

    bin = BIN  # where its fabctl is

    def __init__(self, topology, wait="30s", packets="off", engine="auto"):
        self.topology = pathlib.Path(topology)
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="fab-"))
        self.run_dir = self.top / "run"
        self.url = f"ipc://{self.run_dir}/fabricd.ipc"
        self.wait = wait
        self.packets = packets
        self.engine = engine
        self.up_info = None

    def fabctl(self, *args, expect=0, timeout=60, json_output=False):
        command = [str(self.bin / "fabctl"), "--url", self.url]
        if json_output:
            command += ["-o", "json"]
        done = subprocess.run(command + [str(a) for a in args], capture_output=True, text=True,
                              timeout=timeout, check=False, stdin=subprocess.DEVNULL)
        if expect is not None and done.returncode != expect:
            raise Fabctl(f"fabctl {' '.join(map(str, args))}: exit {done.returncode}, expected "
                         f"{expect}\n{done.stdout}{done.stderr}{self.logs()}")
        return done

    def json(self, *args, expect=0, timeout=60):
        done = self.fabctl(*args, expect=expect, timeout=timeout, json_output=True)
        return json.loads(done.stdout)

    def up(self):
        self.up_info = self.json("up", self.topology, "--run-dir", self.run_dir, "--wait",
                                 self.wait, "--packets", self.packets, "--engine", self.engine, timeout=120)
        return self

    def down(self):
        kept = self.keep_logs()
        try:
            if self.run_dir.exists():
                self.fabctl("down", "--run-dir", self.run_dir)
            self.check_logs(kept)
            left = processes_using(self.run_dir)
            files = list(self.top.iterdir()) if self.top.exists() else []
            if left or files:
                raise AssertionError(f"left behind: processes {left}, files {files}")
        finally:
            for pid in processes_using(self.run_dir):
                os.kill(pid, signal.SIGKILL)
            shutil.rmtree(self.top, ignore_errors=True)
            shutil.rmtree(kept, ignore_errors=True)

    def keep_logs(self):
        """Links to all logs, outside of the run directory: they outlive it and get what is written
        by processes that are about to end."""
        kept = pathlib.Path(tempfile.mkdtemp(prefix="fab-logs-", dir=self.top.parent))
        for log in self.run_dir.glob("*.log"):
            os.link(log, kept / log.name)
        return kept

    @staticmethod
    def check_logs(kept):
        for log in sorted(kept.iterdir()):
            text = log.read_text(errors="replace")
            found = FAILURE.search(text)
            if found:
                raise AssertionError(f"{log.name}: {text[max(0, found.start() - 200):][:4000]}")

    def logs(self, lines=6):
        """The last lines of every log, for a failed test's report."""
        out = []
        for log in sorted(self.run_dir.glob("*.log")):
            tail = log.read_text(errors="replace").splitlines()[-lines:]
            out += [f"--- {log.name}"] + tail
        return "\n".join(out)

    # What tests ask most.

    def ps(self):
        return {node["name"]: node for node in self.json("ps")}

    def pid(self, name):
        return self.ps()[name]["pid"]

    def effective(self, nic):
        """{prefix: (source, state, next hop type, sorted next hops)} of active rows."""
        rows = self.json("routes", "effective", nic)["value"]
        return {prefix: (row["source"], row["nextHopType"], sorted(row["nextHopIpAddress"]))
                for row in rows if row["state"] == "Active" for prefix in row["addressPrefix"]}

    def next_hops(self, nic, prefix):
        row = self.effective(nic).get(prefix)
        return row[2] if row else None

    def learned(self, server, peer):
        """[{prefix: row} of instance 0, {prefix: row} of instance 1]"""
        answer = self.json("routes", "learned", server, peer)
        return [{row["network"]: row for row in answer[f"RouteServiceRole_IN_{i}"]}
                for i in (0, 1)]

    def converged(self, timeout="30s"):
        self.json("wait", "converged", "--timeout", timeout)

    def state(self):
        """Everything that a restart must bring back: all effective and all learned routes."""
        nics = sorted(r["name"] for kind in ("vm", "nva") for r in self.json("get", kind))
        state = {f"effective {nic}": self.json("routes", "effective", nic) for nic in nics}
        for server in self.json("get", "route_server"):
            for peer in sorted(server["properties"]["peers"]):
                state[f"learned {server['name']} {peer}"] = normalised(
                    self.json("routes", "learned", server["name"], peer))
        for row in state.values():
            if "value" in row:
                row["value"].sort(key=lambda r: (r["source"], r["addressPrefix"], r["state"]))
                for r in row["value"]:
                    r["nextHopIpAddress"].sort()
        return state


def normalised(learned):
    return {instance: sorted(rows, key=lambda r: r["network"]) for instance, rows in learned.items()}


class FabricTestCase(unittest.TestCase):
    """Brings `topology` up once per class."""

    topology = None        # path, relative to the root of the tree
    topology_text = None   # or the YAML itself
    wait = "30s"           # for it to converge; "0s" if it will not
    packets = "off"        # "on": with vswitchd and guests, see cannot_have_packets()
    engine = "userspace"   # "taps": that without a flow cache; "bpf": see cannot_have_bpf()

    @classmethod
    def setUpClass(cls):
        cls.files = pathlib.Path(tempfile.mkdtemp(prefix="fab-files-"))
        cls.addClassCleanup(shutil.rmtree, cls.files, ignore_errors=True)
        path = ROOT / cls.topology if cls.topology else cls.files / "topology.yaml"
        if cls.topology_text:
            path.write_text(cls.topology_text)
        cls.fabric = Fabric(path, cls.wait, cls.packets, cls.engine)
        cls.addClassCleanup(cls.fabric.down)
        cls.fabric.up()

    def until(self, condition, what, timeout=15.0):
        return until(condition, lambda: f"{what() if callable(what) else what}\n{self.fabric.logs()}", timeout)
