import { findMemoryGroups, type MemoryGroups } from "./memory-groups.ts";

/**
 * What the system can bound a process by that reads what strangers wrote. Looked for once, at the start; whatever is
 * missing is done without.
 */
export interface ProcessBounds {
  /** Put before a command, it takes the network away from it; empty where that cannot be done. */
  readonly withoutNetwork: readonly string[];
  /** By which the kernel bounds its memory; null where there can be none. */
  readonly memoryGroups: MemoryGroups | null;
}

/** Bounds that need nothing of the system. */
export const NO_BOUNDS: ProcessBounds = { withoutNetwork: [], memoryGroups: null };

const ASK_MS = 2_000;

/**
 * A network namespace without interfaces, by util-linux's `unshare`, which becomes the command. Root makes it as it is;
 * others make a user namespace around it, which some systems refuse.
 */
const WAYS: readonly (readonly string[])[] = [["--net"], ["--net", "--map-current-user"]];

export async function findProcessBounds(): Promise<ProcessBounds> {
  if (process.platform !== "linux") return NO_BOUNDS;
  return { withoutNetwork: await findNoNetwork(), memoryGroups: findMemoryGroups() };
}

/** For the log and `lectern doctor`. */
export function describeBounds({ withoutNetwork, memoryGroups }: ProcessBounds): { network: string; memory: string } {
  const kernel = memoryGroups === null ? "no control group (none can be made here)" : "bounded by control groups";
  return {
    network: withoutNetwork.length > 0 ? "none" : "not taken away (unshare is missing, or refused)",
    memory:
      process.platform === "linux"
        ? `watched, and the first to go when the machine has none left; ${kernel}`
        : "watched",
  };
}

async function findNoNetwork(): Promise<readonly string[]> {
  const unshare = Bun.which("unshare");
  if (unshare === null) return [];
  for (const way of WAYS) {
    const withoutNetwork = [unshare, ...way, "--"];
    if (await ends([...withoutNetwork, "true"])) return withoutNetwork;
  }
  return [];
}

async function ends(command: string[]): Promise<boolean> {
  try {
    const child = Bun.spawn(command, {
      stdio: ["ignore", "ignore", "ignore"],
      timeout: ASK_MS,
      killSignal: "SIGKILL",
    });
    return (await child.exited) === 0;
  } catch {
    return false;
  }
}
