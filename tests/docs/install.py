"""What docs/install.md says of installing: both folders, the second copy, the package.

Nothing of the system is touched: folders for all users and of the user are temporary ones. That the package can be
installed, used, upgraded and removed was tried in fresh trees of Debian (CONTRIBUTING.md tells how).

SPDX-License-Identifier: GPL-2.0-or-later
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import wsxenv  # noqa: E402

SECONDS = 300


def run(command, **environ):
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=SECONDS,
                          stdin=subprocess.DEVNULL, cwd=ROOT, env={**os.environ, **environ})
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def plugin_folder():
    """Where Wireshark looks for plugins for all users, by the build."""
    text = (wsxenv.build_dir() / "copies-system.cmake").read_text(encoding="utf-8")
    return re.search(r'^set\(system_folder "(.*)"\)$', text, re.M)[1]


def version():
    return re.search(r"^set\(WSX_VERSION (\S+)\)$", (ROOT / "CMakeLists.txt").read_text(), re.M)[1]


class Machine:
    """A home and a folder for all users, both empty, and the build's install scripts for them."""

    def __init__(self, env):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="wsx-install-"))
        self.system, self.home = self.top / "system", self.top / "home"
        self.personal = self.home / ".local/lib/wireshark/plugins" / env.version / "epan"
        for folder in (self.system, self.home, self.top / "bin"):
            folder.mkdir()

    def put(self, folder, name="wsx.so"):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(wsxenv.build_dir() / "wsx.so", folder / name)
        return folder / name

    def install(self, kind, uid="1000", **environ):
        """The script that cmake --install runs, for this machine and a user of this number."""
        text = (wsxenv.build_dir() / f"copies-{kind}.cmake").read_text(encoding="utf-8")
        script = self.top / "install.cmake"
        script.write_text(text.replace(plugin_folder(), str(self.system)), encoding="utf-8")
        fake = self.top / "bin" / "id"
        fake.write_text(f"#!/bin/sh\necho {uid}\n")
        fake.chmod(0o755)
        return run(["cmake", "-P", str(script)], HOME=str(self.home), DESTDIR="",
                   **{"WIRESHARK_PLUGIN_DIR": "", **environ},
                   PATH=f"{self.top / 'bin'}:{os.environ['PATH']}")

    def close(self):
        shutil.rmtree(self.top)


def judge(problems, what, result, rc, *texts):
    got, said = result
    if (got != 0) != (rc != 0):
        problems.append(f"{what}: ended with {got}: {said[-300:]}")
    problems += [f"{what}: does not say {text}: {said[-300:]}" for text in texts
                 if str(text) not in said]


def user_test(env):
    machine, problems = Machine(env), []
    judge(problems, "fresh", machine.install("user"), 0)
    if not (machine.personal / "wsx.so").is_file():
        problems.append("nothing was installed")
    judge(problems, "again", machine.install("user"), 0)
    judge(problems, "as root", machine.install("user", uid="0"), 1, "ignores it")
    remove = re.search(r"^rm ~/.*$", (ROOT / "docs" / "install.md").read_text(encoding="utf-8"), re.M)
    judge(problems, "removing", run(["bash", "-c", remove[0]], HOME=str(machine.home)), 0)
    if any(machine.personal.iterdir()):
        problems.append("removing leaves files")
    other = machine.put(machine.personal, "wsx-old.so")
    judge(problems, "another name", machine.install("user"), 0, "a second copy", other, "instead")
    system = machine.put(machine.system)
    judge(problems, "for all users too", machine.install("user"), 1, system)
    machine.close()
    return problems


def system_test(env):
    machine, problems = Machine(env), []
    rc, said = machine.install("system")
    if rc or "second" in said:
        problems.append(f"no copy anywhere: {rc}: {said}")
    mine = machine.put(machine.personal)
    judge(problems, "personal", machine.install("system"), 0, "a second copy", mine)
    foreign = machine.put(machine.top / "own" / env.version / "epan", "wsx-debug.so")
    judge(problems, "by the environment",
          machine.install("system", WIRESHARK_PLUGIN_DIR=str(machine.top / "own")), 0, mine, foreign)
    (machine.system / "other.so").write_bytes(b"\x7fELF another plugin")
    rc, said = machine.install("system")
    if "other.so" in said:
        problems.append("another plugin is taken for wsx")
    machine.put(machine.system)
    owner = machine.top / "bin" / "dpkg-query"
    owner.write_text("#!/bin/sh\necho \"wsx-wireshark-0.0: $2\"\n")
    owner.chmod(0o755)
    judge(problems, "a package's file", machine.install("system"), 1, "apt remove wsx-wireshark-0.0")
    machine.close()
    return problems


def staged_test(_env):
    """cmake --install into an empty tree: one file, where Wireshark looks for it."""
    with tempfile.TemporaryDirectory() as tree:
        rc, said = run(["cmake", "--install", str(wsxenv.build_dir())], DESTDIR=tree)
        found = [str(p.relative_to(tree)) for p in pathlib.Path(tree).rglob("*") if p.is_file()]
    due = f"{plugin_folder()}/wsx.so".lstrip("/")
    return [] if rc == 0 and found == [due] else [f"ended with {rc}; installed {found}: {said[-300:]}"]


def package_test(env):
    """The package's name, version, dependencies and files. Made as the target package makes it."""
    name, problems = f"wsx-wireshark-{env.version}", []
    with tempfile.TemporaryDirectory() as folder:
        rc, said = run(["cpack", "--config", str(wsxenv.build_dir() / "CPackConfig.cmake"), "-B", folder])
        found = list(pathlib.Path(folder).glob("*.deb"))
        if rc or len(found) != 1:
            return [f"cpack ended with {rc}: {said[-400:]}"]
        field = lambda key: run(["dpkg-deb", "-f", str(found[0]), key])[1]
        files = run(["dpkg-deb", "-c", str(found[0])])[1].split()
        for key, due in (("Package", name), ("Version", version())):
            if field(key) != due:
                problems.append(f"{key} is {field(key)}, due {due}")
        depends = field("Depends")
        major, minor = env.version.split(".")
        for due in (rf"libwireshark-data \(>= {major}\.{minor}\)",
                    rf"libwireshark-data \(<< {major}\.{int(minor) + 1}~\)", r"libwireshark\d+"):
            if not re.search(due, depends):
                problems.append(f"does not depend on {due}: {depends}")
    for due in (plugin_folder() + "/wsx.so", "/usr/bin/wsx-regress",
                f"/usr/share/doc/{name}/copyright", f"/usr/share/doc/{name}/docs/install.md"):
        if "." + due not in files:
            problems.append(f"does not hold {due}")
    return problems + [f"holds {f}" for f in files if re.match(r"\./(?!$|usr/)", f)]


def version_test(env):
    """tshark -G plugins names the version that CMakeLists.txt has, and no other file has one."""
    lines = env.run(["tshark", "-G", "plugins"]).stdout.decode().splitlines()
    line = next((line for line in lines if line.startswith("wsx.so")), "")
    problems = [] if version() in line.split() else [f"tshark -G plugins says: {line}"]
    sources = [*(ROOT / "plugin").rglob("*.[ch]"), *(ROOT / "cmake").rglob("*.*")]
    return problems + [f"{p.relative_to(ROOT)} names the version" for p in sources
                       if p.is_file() and version() in p.read_text(encoding="utf-8")]


TESTS = {"user": user_test, "system": system_test, "staged": staged_test, "version": version_test}


def tests(env, quick=False):
    yield from ((f"docs:install:{name}", lambda test=test: test(env)) for name, test in TESTS.items())
    if not quick and all(shutil.which(t) for t in ("cpack", "dpkg-shlibdeps", "dpkg-deb", "file")):
        yield "docs:install:package", lambda: package_test(env)
