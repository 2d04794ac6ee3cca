"""What tests of compose/ share: an example on a real Docker engine, built, started, healthy, gone without leftovers."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
import unittest

from fabric import BIN, ROOT, until

HTTP_IMAGE = "hubspoke-example-http"  # has ping


def engine_answers():
    return shutil.which("docker") and subprocess.run(
        ["docker", "info"], capture_output=True, check=False, timeout=30).returncode == 0


def compose_command():
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    if not shutil.which("docker"):
        return None
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return ["docker", "compose"] if plugin.returncode == 0 else None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def docker(*args, check=True, timeout=120):
    done = subprocess.run(["docker", *map(str, args)], capture_output=True, text=True, check=False, timeout=timeout)
    if check and done.returncode != 0:
        raise AssertionError(f"docker {args}: {done.stdout}{done.stderr}")
    return done.stdout


class Estate(unittest.TestCase):
    """One example of compose/, which comes and goes; without tests of its own."""

    example = None
    env = {}
    up_by_class = True
    bridges = set()  # of its networks

    @classmethod
    def compose(cls, *args, timeout=120, check=True):
        path = getattr(cls, "file", ROOT / f"compose/{cls.example}/docker-compose.yaml")
        done = subprocess.run([*compose_command(), "-p", cls.project, "-f", str(path), *args], capture_output=True,
                              text=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL,
                              env=dict(os.environ, FAB_PORT=str(cls.port), **cls.env))
        if check and done.returncode != 0:
            raise AssertionError(f"compose {args}: {done.stdout}{done.stderr}")
        return done.stdout

    @classmethod
    def setUpClass(cls):
        if not engine_answers():
            raise unittest.SkipTest("no Docker engine answers")
        if not compose_command():
            raise unittest.SkipTest("neither docker-compose nor the compose plugin is installed")
        cls.project = f"fab{os.getpid()}"
        cls.port = free_port()
        cls.addClassCleanup(cls.gone)
        cls.addClassCleanup(cls.compose, "down", "-v", "--timeout", "2", check=False)
        if cls.up_by_class:
            cls.compose("build", "-q", timeout=900)
            begin = time.monotonic()
            cls.compose("up", "-d", timeout=300)
            until(lambda: all(cls.health().values()), lambda: f"every service healthy: {cls.health()}", timeout=60)
            cls.bridges = {f"br-{network}" for network in docker(
                "network", "ls", "-q", "--filter", f"label=com.docker.compose.project={cls.project}").split()}
            print(f"{cls.example}: {len(cls.ids())} services healthy after {time.monotonic() - begin:.1f} s")

    @classmethod
    def gone(cls):
        """Nothing is left behind."""
        label = f"label=com.docker.compose.project={cls.project}"
        for kind in (["ps", "-aq"], ["network", "ls", "-q"], ["volume", "ls", "-q"]):
            left = docker(*kind, "--filter", label)
            if left:
                raise AssertionError(f"left of {cls.example}: {kind[0]} {left}")
        left = cls.bridges & {path.name for path in pathlib.Path("/sys/class/net").iterdir()}
        if left:
            raise AssertionError(f"left of {cls.example}: {left}")

    @classmethod
    def ids(cls):
        return cls.compose("ps", "-q").split()

    @classmethod
    def inspect(cls):
        """{service: what docker inspect says}"""
        found = json.loads(docker("inspect", *cls.ids()))
        return {c["Config"]["Labels"]["com.docker.compose.service"]: c for c in found}

    @classmethod
    def health(cls):
        """{service: runs, and is healthy if it tells}"""
        return {name: c["State"]["Running"] and c["State"].get("Health", {}).get("Status", "healthy") == "healthy"
                for name, c in cls.inspect().items()}

    def whole(self, timeout=60):
        until(lambda: all(self.health().values()), lambda: f"every service healthy: {self.health()}", timeout=timeout)

    def fabctl(self, *args, check=True):
        """From the host, over the published port."""
        done = subprocess.run([BIN / "fabctl", "--url", f"tcp://127.0.0.1:{self.port}", "-o", "json", *args],
                              capture_output=True, text=True, check=check, timeout=60)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def converged(self):
        """Of the fabric as a whole, sooner than docker asks; its NICs are all plugged in."""
        nics = self.fabctl("health", check=False) and self.fabctl("nics", check=False)
        return nics is not None and all(nic["attached"] for nic in nics["value"])

    def default_of(self, nic):
        rows = self.fabctl("routes", "effective", nic)["value"]
        return [r["nextHopIpAddress"] for r in rows
                if r["addressPrefix"] == ["0.0.0.0/0"] and r["state"] == "Active"]

    def pings(self, service, address):
        """From the network namespace of a service."""
        return subprocess.run(["docker", "run", "--rm", "--network", f"container:{self.inspect()[service]['Id']}",
                               HTTP_IMAGE, "ping", "-n", "-q", "-c", "1", "-W", "2", address], capture_output=True,
                              check=False, timeout=60).returncode == 0

    def rights(self, expected):
        """No more than what is written down: {service: capabilities} of those that have any."""
        for name, container in self.inspect().items():
            host = container["HostConfig"]
            with self.subTest(name):
                self.assertFalse(host["Privileged"])
                self.assertEqual(host["PidMode"], "")
                self.assertEqual(host["CapDrop"], ["ALL"])
                self.assertEqual(sorted(c.removeprefix("CAP_") for c in host["CapAdd"] or []),
                                 sorted(expected.get(name, [])))
                self.assertEqual([m for m in container["Mounts"] if m["Type"] != "volume"], [])
                self.assertEqual([d["PathOnHost"] for d in host["Devices"] or []],
                                 ["/dev/net/tun"] if name == "vswitchd" else [])
                if container["Config"]["Image"] == "hubspoke":
                    self.assertTrue(host["ReadonlyRootfs"])
                    self.assertEqual(container["Config"]["User"], "0:0" if name in expected else "65532:65532")

    def restart_each(self, check):
        """Whoever is killed and started again, the estate is whole afterwards, and no other service was touched."""
        started = {}
        for name, container in sorted(self.inspect().items()):
            with self.subTest(name):
                docker("kill", container["Id"])
                docker("start", container["Id"])
                started[name] = docker("inspect", "-f", "{{.State.StartedAt}}", container["Id"]).strip()
                until(lambda: self.converged() and check(), f"the estate works after the kill of {name}", timeout=60)
        self.whole()
        self.assertEqual({name: c["State"]["StartedAt"] for name, c in self.inspect().items()}, started)
