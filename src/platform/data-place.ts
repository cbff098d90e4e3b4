import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";

/**
 * Whose a data directory is. Whoever may write to it, or owns it, can put files into it that the server reads, such as a
 * list of models, and links where it writes, such as the file with the administrator's key. So it is used only where it is
 * this user's and nobody else may write to it, as PostgreSQL does with its own.
 *
 * The root of a volume is an exception in both ways: it belongs to root, and its mode is made by whoever mounts it
 * (Kubernetes' fsGroup: group rwx and setgid; emptyDir: 0777). There a folder of this user's own inside it is the data
 * directory.
 */
export type DataPlace =
  | { type: "use"; path: string; /** The mode is to be set to 0700 first. */ isTooOpen: boolean; notice: string | null }
  | { type: "refuse"; reason: string };

/** What is asked of the file system and the process. */
export interface PlaceFacts {
  /** Effective user of this process; null where the system has no such thing. */
  user: number | null;
  owner: number;
  mode: number;
  /** Another file system begins here. */
  isMount: boolean;
  isWritable: boolean;
  entries: readonly { name: string; owner: number }[];
}

/** The data directory inside a volume. */
const INSIDE = "lectern";
/** What a file system or a broken restore leaves in an otherwise empty volume. */
const NOTHING = new Set(["lost+found", INSIDE, `${INSIDE}.restoring`]);
const OTHERS_MAY_WRITE = 0o022;
const STICKY = 0o1000;

/** `path` is there and is a directory. */
export function judgePlace(path: string, facts: PlaceFacts): DataPlace {
  const { user, owner, mode, isMount, isWritable, entries } = facts;
  const use = (more: { path?: string; isTooOpen?: boolean; notice?: string }): DataPlace => ({
    type: "use",
    path: more.path ?? path,
    isTooOpen: more.isTooOpen ?? false,
    notice: more.notice ?? null,
  });
  const refuse = (reason: string): DataPlace => ({ type: "refuse", reason });
  // Of one's own that cannot be written, the system says why, such as a read-only disk.
  if (user === null || (owner === user && !isWritable)) return use({});
  const isOpen = (mode & OTHERS_MAY_WRITE) !== 0;
  const isSticky = (mode & STICKY) !== 0;
  const holds = (name: string) => entries.some((entry) => entry.name === name);
  // Root may write everywhere anyway.
  const foreign = entries.find((entry) => entry.owner !== user && entry.owner !== 0);
  if (owner === user && !(isOpen && (isMount || isSticky))) {
    if (foreign !== undefined) return refuse(planted(join(path, foreign.name), foreign.owner, user));
    if (!isOpen) return use({});
    // Never the mode of a directory that is something else, such as a folder that people share.
    if (entries.length === 0 || holds("meta.sqlite") || holds("lock")) return use({ isTooOpen: true });
    return refuse(
      `others may write to it, and it holds other things; choose a directory inside it, such as ${join(path, INSIDE)}`,
    );
  }
  const isOurs = owner === user || (owner === 0 && user !== 0);
  // Where everybody may write, and rename what others made, only a volume of one's own is private.
  const isVolume = isOurs && isWritable && (isMount || isSticky || (mode & 0o002) === 0);
  if (!isVolume) return refuse(notYours(path, owner, user));
  if (entries.every(({ name }) => NOTHING.has(name))) {
    const inside = join(path, INSIDE);
    return use({ path: inside, notice: `The data directory is ${inside}: others may write to ${path} itself.` });
  }
  if ((mode & 0o002) === 0 && foreign === undefined && holds("meta.sqlite")) {
    const notice = `The data lies directly in ${path}, which is not this user's alone: stop the server and move all of it into ${join(path, INSIDE)} (mode 0700), which is used from then on.`;
    return use({ notice });
  }
  if (foreign !== undefined && holds("meta.sqlite"))
    return refuse(planted(join(path, foreign.name), foreign.owner, user));
  if (holds("meta.sqlite"))
    return refuse(
      `others may write to it: have its mode changed (chmod o-w ${path}), or move all of it into ${join(path, INSIDE)} (mode 0700), which is then used`,
    );
  return refuse(
    `others may write to it and it is not empty; choose a directory inside it, such as ${join(path, INSIDE)}`,
  );
}

function planted(path: string, owner: number, user: number): string {
  return `${path} belongs to another user (${owner}), who may have put it there; look at it, then remove it or make it yours (chown ${user})`;
}

function notYours(path: string, owner: number, user: number): string {
  if (user === 0)
    return `it belongs to user ${owner}, and root does not work in it: run Lectern as that user, or chown -R root ${path}`;
  return owner === user
    ? `others may write to it: chmod 700 ${path}`
    : `it belongs to user ${owner}, not to the user of this process (${user}): run Lectern as that user, or chown -R ${user} ${path}`;
}

/** Where the data directory named `directory` is, or is to be made. Changes nothing; throws what the file system throws. */
export function findPlace(directory: string): DataPlace {
  const path = resolve(directory);
  if (!existsSync(path)) return { type: "use", path, isTooOpen: false, notice: null };
  if (!statSync(path).isDirectory()) return { type: "refuse", reason: "it is not a directory" };
  const place = judgePlace(path, factsOf(path));
  if (place.type === "refuse" || place.path === path || !existsSync(place.path)) return place;
  const inside = judgePlace(place.path, { ...factsOf(place.path), isMount: false });
  return inside.type === "refuse" ? inside : { ...inside, notice: place.notice };
}

/** The same for whoever only looks for what is there: the directory as it was named where it may not be used. */
export function dataPathOf(directory: string): string {
  try {
    const place = findPlace(directory);
    return place.type === "use" ? place.path : resolve(directory);
  } catch {
    return resolve(directory);
  }
}

/**
 * What speaks against believing a file: it, or the directory it lies in, is another user's, or others may write to it. Null
 * where nothing does. The file is there.
 */
export function strangerTo(path: string): string | null {
  const user = currentUser();
  if (user === null) return null;
  for (const [name, stat] of [
    [dirname(path), statSync(dirname(path))],
    [path, lstatSync(path)],
  ] as const) {
    if (stat.isSymbolicLink()) return `${name} is a link`;
    if (stat.uid !== user && stat.uid !== 0) return `${name} belongs to another user (${stat.uid})`;
    if ((stat.mode & OTHERS_MAY_WRITE) !== 0) return `other users may write to ${name}`;
  }
  return null;
}

function factsOf(path: string): PlaceFacts {
  const { uid, mode } = statSync(path);
  const canUse = isWritable(path);
  // Of a directory that cannot be read its owner says enough.
  const names = canUse ? readdirSync(path) : [];
  const entries = names.flatMap((name) => {
    const stat = lstatSync(join(path, name), { throwIfNoEntry: false });
    return stat === undefined ? [] : [{ name, owner: stat.uid }];
  });
  return { user: currentUser(), owner: uid, mode, isMount: isMount(path), isWritable: canUse, entries };
}

function currentUser(): number | null {
  return process.geteuid?.() ?? null;
}

function isMount(path: string): boolean {
  const real = realpathSync(path);
  if (statSync(real).dev !== statSync(dirname(real)).dev) return true;
  try {
    // A part of the same file system may be mounted too; blanks are written \040 there.
    const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
    return lines.some((line) => (line.split(" ")[4] ?? "").replaceAll("\\040", " ") === real);
  } catch {
    return false;
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
