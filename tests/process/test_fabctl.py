"""fabctl without a fabric: its words, exit codes and errors, and what it makes of bad files."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from fabric import BIN, ROOT

OK, NO, USAGE, UNREACHABLE, REFUSED = range(5)
MULTI_REGION = str(ROOT / "topologies/multi-region.yaml")


class FabctlTestCase(unittest.TestCase):
    program = BIN / "fabctl"

    def setUp(self):
        # dir="/tmp": run directories have to be short, whatever TMPDIR says.
        top = tempfile.TemporaryDirectory(prefix="fab-", dir="/tmp")
        self.addCleanup(top.cleanup)
        self.top = pathlib.Path(top.name)

    def fabctl(self, *args, expect=OK, env=None, **become):
        done = subprocess.run([str(self.program), *map(str, args)], capture_output=True,
                              text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
                              env=os.environ | {"XDG_RUNTIME_DIR": str(self.top), "FAB_URL": ""}
                              | (env or {}), **become)
        self.assertEqual(done.returncode, expect, f"fabctl {args}\n{done.stdout}{done.stderr}")
        return done

    def one_line(self, *args, expect, **how):
        """The error, which must be one line and nothing else."""
        done = self.fabctl(*args, expect=expect, **how)
        self.assertEqual(done.stdout, "")
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertTrue(done.stderr.endswith("\n"))
        return done.stderr[:-1]

    def file(self, text):
        path = self.top / "topology.yaml"
        if isinstance(text, bytes):
            path.write_bytes(text)
        else:
            path.write_text(text)
        return path


class Words(FabctlTestCase):
    def test_usage_errors(self):
        for args, error in [
            (["fly"], "unknown verb 'fly'; 'fabctl help' lists them"),
            (["up"], "usage: fabctl up FILE [--wait TIME] [--packets HOW] [--timing PROFILE]"),
            (["routes", "effective"], "usage: fabctl routes effective NIC|RS"),
            (["ps", "--sideways"], "unknown option '--sideways'"),
            (["ps", "--both"], "'ps' does not take --both"),
            (["-o", "xml", "ps"], "unknown format 'xml'; table, json or yaml"),
            (["up", MULTI_REGION, "--wait", "soon"], "'soon' is not a time such as 60s"),
            (["up", MULTI_REGION, "--packets", "some"], "'some' is not auto, on or off"),
            (["exec", "vm11"], "usage: fabctl exec GUEST COMMAND..."),
            (["probe", "vm11", "vm12", "--pps", "many"], "'many' is not a number of packets from 1 to 200000"),
            (["probe", "vm11", "vm12", "--duration", "0"], "'0' is not a time such as 5s"),
            (["probe", "vm11", "vm12", "--max-lost", "-1"], "'-1' is not a number of packets"),
            (["probe", "vm11", "vm12", "--duration", "2h"],
             "that would be more than 4000000 packets; choose less of --pps or --duration"),
            (["wait", "converged", "--timeout", "1.5s"], "'1.5s' is not a time such as 30s"),
            (["circuit", "routes", "circuit1", "third"], "'third' is neither primary nor secondary"),
            (["timeline", "0"], "'0' is not the number of a change; 1 is the last one"),
            (["set", "nva", "nva1", "prepend"], "'prepend' is not KEY=VALUE"),
            (["up", MULTI_REGION, "--url", "tcp://127.0.0.1:5170"],
             "tcp://127.0.0.1:5170 is not a local fabric; unset FAB_URL or give --run-dir"),
        ]:
            with self.subTest(args=args):
                self.assertEqual(self.one_line(*args, expect=USAGE), f"fabctl: USAGE: {error}")

    def test_help_names_every_verb(self):
        text = self.fabctl("help").stdout
        for verb in ["up", "down", "check", "apply", "diff", "get", "set", "delete", "ps", "kill",
                     "pause", "resume", "stop", "start", "restart", "link cut", "link restore",
                     "link set", "link clear", "link list", "link get",
                     "routes effective", "routes learned", "routes advertised", "gateway learned",
                     "gateway advertised", "gateway peers", "circuit routes", "router routes",
                     "nexthop", "explain", "trace", "nics", "backends", "metrics", "exec", "probe", "capture", "wait", "test",
                     "events", "timeline", "health"]:
            with self.subTest(verb=verb):
                self.assertIn(f"\n  {verb} ", text)
                self.assertIn(f"Usage: fabctl {verb}", self.fabctl("help", *verb.split()).stdout)
                self.assertIn(f"Usage: fabctl {verb}", self.fabctl(*verb.split(), "--help").stdout)

    def test_nothing_asked_is_usage(self):
        done = self.fabctl(expect=USAGE)
        self.assertEqual(done.stdout, "")
        self.assertIn("Usage: fabctl", done.stderr)

    def test_version(self):
        self.assertRegex(self.fabctl("--version").stdout, r"^fabctl \d+\.\d+\.\d+\n$")

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([str(BIN / "fabctl"), "check", MULTI_REGION], stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, NO)
        self.assertIn("fabctl: WRITE: ", done.stderr)


class NoFabric(FabctlTestCase):
    """Exit 3 says that nobody is there, and where it looked."""

    ASKING = [["get", "vnet"], ["ps"], ["health"], ["routes", "effective", "vm11"], ["events", "-f"],
              ["wait", "converged"], ["timeline"], ["apply", MULTI_REGION],
              ["link", "cut", "a", "b"]]
    LOCAL = [["kill", "nva1"], ["start", "nva1"], ["down"]]

    def test_none_was_started(self):
        for args in self.ASKING + self.LOCAL:
            with self.subTest(args=args):
                self.assertRegex(self.one_line(*args, expect=UNREACHABLE), "^fabctl: NOFABRIC: no ")

    def test_nobody_listens(self):
        missing = [(f"ipc://{self.top}/fabricd.ipc", args) for args in self.ASKING]
        # Over TCP it may just be starting: fabctl tries for two seconds.
        for url, args in missing + [("tcp://127.0.0.1:9", ["ps"]), ("tcp://127.0.0.1:9", ["health"])]:
            with self.subTest(url=url, args=args):
                error = self.one_line("--url", url, *args, expect=UNREACHABLE)
                self.assertRegex(error, "^fabctl: UNAVAILABLE: ")
                self.assertIn(url, error)

    def test_fab_url_names_the_fabric(self):
        url = f"ipc://{self.top}/elsewhere.ipc"
        self.assertIn(url, self.one_line("ps", expect=UNREACHABLE, env={"FAB_URL": url}))

    def test_url_that_is_none(self):
        self.assertRegex(self.one_line("--url", "somewhere", "ps", expect=USAGE), "^fabctl: URL: ")

    def test_asking_leaves_no_files(self):
        self.one_line("ps", expect=UNREACHABLE)
        self.assertEqual(list(self.top.iterdir()), [])


class Check(FabctlTestCase):
    def test_valid(self):
        for path in sorted((ROOT / "topologies").glob("*.yaml")):
            with self.subTest(path.name):
                self.assertEqual(json.loads(self.fabctl("-o", "json", "check", path).stdout),
                                 {"valid": True, "errors": []})

    def test_all_errors_at_once_with_file_and_line(self):
        path = self.file("name: x\nvnets:\n  a: {address_space: [10.0.0.0/33]}\n  b: {color: red}\n")
        done = self.fabctl("check", path, expect=REFUSED)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, rf"(?m)^{path}:3: \w+: .*10\.0\.0\.0/33")
        self.assertRegex(done.stderr, rf"(?m)^{path}:4: \w+: .*color")
        answer = json.loads(self.fabctl("-o", "json", "check", path, expect=REFUSED).stdout)
        self.assertFalse(answer["valid"])
        self.assertEqual({e["line"] for e in answer["errors"]}, {3, 4})
        self.assertEqual(set(answer["errors"][0]), {"code", "message", "line"})


class BadFiles(FabctlTestCase):
    """One clear line, exit 4 or 2, soon; the same for every verb that reads a topology file."""

    VERBS = ["check", "up"]

    def each_verb(self, path, expect, pattern):
        for verb in self.VERBS:
            with self.subTest(verb=verb):
                self.assertRegex(self.one_line(verb, path, expect=expect), pattern)
                self.assertFalse(list(self.top.glob("hubspoke-*")), "something was started")

    def test_garbage(self):
        self.each_verb(self.file(bytes(range(256)) * 100), REFUSED,
                       r"topology\.yaml:1: InvalidText: this is not text: there is a control character$")

    def test_not_utf8(self):
        self.each_verb(self.file(b"name: \xff\xfe\n"), REFUSED, r"topology\.yaml:.* \w+: ")

    def test_empty(self):
        self.each_verb(self.file(""), REFUSED, r"topology\.yaml:.* \w+: ")

    def test_100_mb(self):
        path = self.file("")
        with path.open("wb") as f:
            for _ in range(100):
                f.write(b"# much ado\n" * ((1 << 20) // 11))
            f.truncate(100 << 20)
        self.each_verb(path, REFUSED, r"^fabctl: TooLarge: .* is larger than 8 MiB")

    def test_yaml_bomb(self):
        bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
            f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10))
        self.each_verb(self.file("name: bomb\n" + bomb), REFUSED, r"topology\.yaml:.* \w+: ")

    def test_deep_nesting(self):
        self.each_verb(self.file("name: " + "[" * 100000), REFUSED, r"topology\.yaml:.* \w+: ")

    def test_unreadable(self):
        self.each_verb(self.top / "missing.yaml", USAGE, r"^fabctl: FILE: .* No such file")
        self.each_verb(self.top, USAGE, r"^fabctl: FILE: .* directory")

    def test_forbidden(self):
        """Root may read everything: a copy of fabctl then runs as nobody."""
        path = self.file("name: x\n")
        path.chmod(0)
        self.top.chmod(0o755)
        self.program = shutil.copy(BIN / "fabctl", self.top)
        become = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        for verb in self.VERBS:
            with self.subTest(verb=verb):
                self.assertRegex(self.one_line(verb, path, expect=USAGE, **become),
                                 r"^fabctl: FILE: .* Permission denied")


class RunDirectories(FabctlTestCase):
    def test_socket_paths_have_a_limit(self):
        error = self.one_line("up", MULTI_REGION, "--run-dir", self.top / ("x" * 90), expect=USAGE)
        self.assertRegex(error, r"^fabctl: PATH: .* longer than 107 .* choose a shorter --run-dir$")

    def test_directory_with_other_files_is_left_alone(self):
        precious = self.top / "mine/precious"
        precious.parent.mkdir()
        precious.write_text("x")
        self.assertRegex(self.one_line("up", MULTI_REGION, "--run-dir", precious.parent, expect=USAGE),
                         "^fabctl: PATH: .* is not a run directory")
        self.one_line("down", "--run-dir", precious.parent, expect=UNREACHABLE)
        self.assertEqual(precious.read_text(), "x")


class Completion(unittest.TestCase):
    """fabctl/completion.bash, asked as bash asks it."""

    def complete(self, *words, fabctl="fabctl() { :; }"):
        script = f"""
            {fabctl}
            source {ROOT}/fabctl/completion.bash
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
            _fabctl; printf '%s\\n' "${{COMPREPLY[@]}}" """
        done = subprocess.run(["bash", "-c", script, "bash", "fabctl", *words], capture_output=True,
                              text=True, timeout=20, check=True)
        return done.stdout.split()

    def test_verbs_are_those_of_fabctl(self):
        text = subprocess.run([str(BIN / "fabctl"), "help"], capture_output=True, text=True,
                              timeout=20, check=True).stdout
        verbs = {line.split()[0] for line in text.splitlines()
                 if line.startswith("  ") and line[2] not in " -"}
        self.assertEqual(set(self.complete("")), verbs)

    def test_words_and_options(self):
        for words, want in [
            (["routes", "e"], ["effective"]),
            (["link", "c"], ["cut", "clear"]),
            (["-o", ""], ["table", "json", "yaml"]),
            (["up", "--w"], ["--wait"]),
            (["circuit", "routes", "circuit1", "s"], ["secondary"]),
            (["get", "route_"], ["route_table", "route_server", "route_map"]),
            (["--url", "tcp://x", "wai"], ["wait"]),
        ]:
            with self.subTest(words=words):
                self.assertEqual(self.complete(*words), want)

    def test_names_come_from_the_fabric(self):
        fabctl = r"""fabctl() {
            case "$*" in
            '--url u -o json ps') echo '[
  {
    "name": "fabricd",
  },
  {
    "name": "nva1",
  }
]' ;;
            '--url u -o json get vm') echo '[
  {
    "kind": "vm",
    "name": "vm11",
    "properties": {
      "name": "not this"
    }
  }
]' ;;
            esac
        }"""
        self.assertEqual(self.complete("--url", "u", "kill", "", fabctl=fabctl), ["fabricd", "nva1"])
        self.assertEqual(self.complete("--url", "u", "nexthop", "v", fabctl=fabctl), ["vm11"])


if __name__ == "__main__":
    unittest.main()
