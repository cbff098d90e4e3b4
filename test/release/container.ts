/**
 * The image of a release, run as a container program runs it: its files as a root that cannot be written, its own user, a
 * volume, processes and mounts of its own. There is no container program in it, so that a machine without one tests the
 * same.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "../helpers/wait.ts";

export interface ImageConfig {
  architecture: string;
  config: {
    User: string;
    Env: string[];
    Entrypoint: string[];
    Cmd: string[];
    Volumes: Record<string, object>;
    Healthcheck: { Test: string[] };
    StopSignal: string;
  };
  rootfs: { diff_ids: string[] };
}

export interface Container extends AsyncDisposable {
  /** Of its first process, outside. */
  pid: number;
  output(): string;
  /** The first line of its output that matches; throws with all of it where it ends without one. */
  line(pattern: RegExp): Promise<RegExpExecArray>;
  /** Runs a program inside, as its user. */
  exec(command: readonly string[]): Promise<{ status: number; out: string }>;
  /** Sends the image's stop signal to its first process; the exit status. */
  stop(): Promise<number>;
}

/** Whether this user may make mounts and processes of their own. */
export function mayContain(): boolean {
  return process.getuid?.() === 0 && Bun.spawnSync(["unshare", "--mount", "--pid", "--fork", "true"]).exitCode === 0;
}

/** Unpacks an image into `directory/root`. Gives its configuration. */
export async function unpackImage(image: string, directory: string): Promise<ImageConfig> {
  const [layout, root] = [join(directory, "layout"), join(directory, "root")];
  for (const path of [layout, root]) mkdirSync(path, { recursive: true });
  await Bun.$`tar -xf ${image} -C ${layout}`;
  const read = (path: string) => JSON.parse(readFileSync(join(layout, path), "utf8"));
  const blob = (digest: string) => join("blobs", digest.replace(":", "/"));
  const manifest = read(blob(read("index.json").manifests[0].digest)) as {
    config: { digest: string };
    layers: { digest: string }[];
  };
  for (const { digest } of manifest.layers) await Bun.$`tar -xpzf ${join(layout, blob(digest))} -C ${root}`;
  return read(blob(manifest.config.digest)) as ImageConfig;
}

// In the new namespaces: the root, read-only, with the volume in it. Then the image's user, without a way to more rights.
const INSIDE = `
set -e
root=$1 volume=$2 user=$3; shift 3
mount --make-rprivate /
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero random urandom; do touch "$root/dev/$device"; mount --bind /dev/$device "$root/dev/$device"; done
mount --bind "$volume" "$root/data"
exec setpriv --no-new-privs chroot --userspec="$user" --groups= "$root" "$@"
`;

export interface RunOptions {
  root: string;
  volume: string;
  image: ImageConfig;
  args?: readonly string[];
  env?: Record<string, string>;
}

export async function runContainer({ root, volume, image, args = [], env = {} }: RunOptions): Promise<Container> {
  const { User, Env, Entrypoint, Cmd } = image.config;
  const inside = { ...Object.fromEntries(Env.map((pair) => pair.split(/=(.*)/s).slice(0, 2))), ...env };
  const [uid = ""] = User.split(":");
  const child = Bun.spawn(
    [
      "unshare",
      "--mount",
      "--pid",
      "--fork",
      "--kill-child",
      "sh",
      "-c",
      INSIDE,
      "sh",
      root,
      volume,
      User,
      ...Entrypoint,
      ...Cmd,
      ...args,
    ],
    { env: { ...inside, PATH: `${process.env["PATH"]}` }, stdin: "ignore", stdout: "pipe", stderr: "pipe" },
  );
  let text = "";
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const piece of stream) text += decoder.decode(piece, { stream: true });
  };
  const done = [read(child.stdout), read(child.stderr)];
  const pid = await waitFor("the first process inside", () => {
    if (child.exitCode !== null) throw new Error(`it did not start: ${text}`);
    const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8");
    return Number(children.trim().split(" ")[0]) || undefined;
  });
  return {
    pid,
    output: () => text,
    line: (pattern) =>
      waitFor(`${pattern} from the container`, async () => {
        const hasEnded = child.exitCode !== null;
        if (hasEnded) await Promise.all(done);
        const match = pattern.exec(text);
        if (match === null && hasEnded) throw new Error(`it ended with ${child.exitCode}: ${text}`);
        return match ?? undefined;
      }),
    exec: async (command) => {
      const inner = ["nsenter", "-t", String(pid), "-m", "-p", "-r", "-w", "-S", uid, "-G", uid, ...command];
      const one = Bun.spawn(inner, { env: inside, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
      const [out, err, status] = await Promise.all([one.stdout.text(), one.stderr.text(), one.exited]);
      return { status, out: out + err };
    },
    stop: async () => {
      process.kill(pid, image.config.StopSignal as NodeJS.Signals);
      const status = await child.exited;
      await Promise.all(done);
      return status;
    },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null) child.kill("SIGKILL");
      await child.exited;
    },
  };
}
