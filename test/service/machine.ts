/**
 * A small Debian with systemd as its first process, in namespaces of this machine: as near as a test comes to the machine
 * that a package is installed on. Needs root and debootstrap; nothing outside the folder is changed.
 */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { waitFor } from "../helpers/wait.ts";

export interface Ran {
  status: number;
  /** Both streams. */
  out: string;
}

export interface Machine extends AsyncDisposable {
  /** Where its root is, seen from here. */
  readonly root: string;
  /** Runs a command in it, as root. */
  run(...command: string[]): Promise<Ran>;
  /** The same, and an error where it fails. */
  must(...command: string[]): Promise<string>;
}

/** What a machine needs of this one; the first that is missing, or null. */
export function lackingForMachine(): string | null {
  if (process.platform !== "linux") return "Linux";
  if (process.getuid?.() !== 0) return "root";
  const programs = ["debootstrap", "unshare", "nsenter", "mount", "pivot_root"];
  return programs.find((name) => Bun.which(name) === null) ?? (controlGroups() === null ? "cgroup2" : null);
}

/** Where the second version of control groups is mounted. */
function controlGroups(): string | null {
  const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
  return mounts.map((line) => line.split(" ")).find((parts) => parts[2] === "cgroup2")?.[1] ?? null;
}

const SUITE = "bookworm";
const PACKAGES = "systemd,systemd-sysv,dbus,passwd,tesseract-ocr";

/** The folder's `tree` is made once and never written to: the machine writes into a layer above it. */
export async function startMachine(folder: string): Promise<Machine> {
  const tree = join(folder, "tree");
  if (!existsSync(tree)) await makeTree(tree);
  const layer = join(folder, "layer");
  rmSync(layer, { recursive: true, force: true });
  for (const name of ["root", "upper", "work"]) mkdirSync(join(layer, name), { recursive: true });
  const groups = join(controlGroups() ?? "", `lectern-machine-${process.pid}`);
  mkdirSync(groups);
  const script = join(layer, "boot.sh");
  writeFileSync(script, bootScript(tree, layer));
  const command = `echo $$ > ${groups}/cgroup.procs && exec unshare --mount --pid --cgroup --uts --ipc --net --fork --kill-child sh ${script}`;
  const child = Bun.spawn(["sh", "-c", command], { stdio: ["ignore", Bun.file(join(layer, "boot.log")), "inherit"] });
  const first = await waitFor("the first process of the machine", () => firstChild(child.pid), 20_000);
  const run = async (...command: string[]): Promise<Ran> => {
    const inside = Bun.spawn(
      ["nsenter", "-t", String(first), "-a", "env", "-i", `PATH=${PATH}`, "LC_ALL=C.UTF-8", ...command],
      {
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    const [out, err, status] = await Promise.all([inside.stdout.text(), inside.stderr.text(), inside.exited]);
    return { status, out: out + err };
  };
  const must = async (...command: string[]): Promise<string> => {
    const { status, out } = await run(...command);
    if (status !== 0) throw new Error(`${command.join(" ")} ended with ${status}:\n${out}`);
    return out;
  };
  await waitFor(
    "a machine that runs",
    async () => (/running|degraded/.test((await run("systemctl", "is-system-running")).out) ? true : undefined),
    60_000,
  );
  await must("ip", "link", "set", "lo", "up").catch(() => run("sh", "-c", "ifconfig lo up"));
  return {
    root: `/proc/${first}/root`,
    run,
    must,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
      await waitFor("the end of its processes", () => (isEmpty(groups) ? true : undefined), 20_000);
      removeGroups(groups);
    },
  };
}

const PATH = "/usr/sbin:/usr/bin:/sbin:/bin";

async function makeTree(tree: string): Promise<void> {
  const partial = `${tree}.partial`;
  rmSync(partial, { recursive: true, force: true });
  const mirror = process.env["DEBIAN_MIRROR"];
  const command = ["debootstrap", "--variant=minbase", `--include=${PACKAGES},iproute2`, SUITE, partial];
  const child = Bun.spawn([...command, ...(mirror === undefined ? [] : [mirror])], {
    stdout: "ignore",
    stderr: "inherit",
  });
  if ((await child.exited) !== 0) throw new Error("debootstrap failed");
  renameSync(partial, tree);
}

/** Mounts what systemd expects to find, and becomes it. */
function bootScript(tree: string, layer: string): string {
  return `set -e
R=${layer}/root
mount --make-rprivate /
mount -t overlay overlay -o lowerdir=${tree},upperdir=${layer}/upper,workdir=${layer}/work $R
mount -t proc proc $R/proc
mount -t sysfs sysfs $R/sys -o ro
mount -t cgroup2 cgroup2 $R/sys/fs/cgroup
for name in run tmp dev; do mount -t tmpfs tmpfs $R/$name -o mode=755; done
chmod 1777 $R/tmp
for name in null zero full random urandom tty; do touch $R/dev/$name; mount --bind /dev/$name $R/dev/$name; done
mkdir $R/dev/pts $R/dev/shm
mount -t devpts devpts $R/dev/pts -o newinstance,ptmxmode=0666
ln -s pts/ptmx $R/dev/ptmx
ln -s /proc/self/fd $R/dev/fd
mount -t tmpfs tmpfs $R/dev/shm
cd $R
mkdir -p .before
pivot_root . .before
umount -l /.before
exec env -i container=lectern PATH=${PATH} /lib/systemd/systemd --unit=multi-user.target
`;
}

function firstChild(parent: number): number | undefined {
  try {
    const children = readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8").trim().split(" ");
    const pid = Number(children[0]);
    return pid > 0 && readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "systemd" ? pid : undefined;
  } catch {
    return undefined;
  }
}

function isEmpty(groups: string): boolean {
  return /populated 0/.test(readFileSync(join(groups, "cgroup.events"), "utf8"));
}

function removeGroups(groups: string): void {
  const inner = new Bun.Glob("**/cgroup.procs").scanSync({ cwd: groups });
  const folders = [...inner].map((path) => join(groups, path, ".."));
  for (const path of folders.toSorted((a, b) => b.length - a.length)) rmdirSync(path);
}

/** Appends to a file of the machine. */
export function addLines(machine: Machine, path: string, lines: string): void {
  appendFileSync(join(machine.root, path), lines);
}
