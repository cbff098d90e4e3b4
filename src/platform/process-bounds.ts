/**
 * What the system can bound a process by that reads what strangers wrote. Looked for once, at the start; whatever is
 * missing is done without.
 */
export interface ProcessBounds {
  /** Put before a command, it takes the network away from it; empty where that cannot be done. */
  readonly withoutNetwork: readonly string[];
}

/** Bounds that need nothing of the system. */
export const NO_BOUNDS: ProcessBounds = { withoutNetwork: [] };

const ASK_MS = 2_000;

/**
 * A network namespace without interfaces, by util-linux's `unshare`, which becomes the command. Root makes it as it is;
 * others make a user namespace around it, which some systems refuse.
 */
const WAYS: readonly (readonly string[])[] = [["--net"], ["--net", "--map-current-user"]];

export async function findProcessBounds(): Promise<ProcessBounds> {
  const unshare = process.platform === "linux" ? Bun.which("unshare") : null;
  if (unshare === null) return NO_BOUNDS;
  for (const way of WAYS) {
    const withoutNetwork = [unshare, ...way, "--"];
    if (await ends([...withoutNetwork, "true"])) return { withoutNetwork };
  }
  return NO_BOUNDS;
}

/** For the log and `lectern doctor`. */
export function describeBounds({ withoutNetwork }: ProcessBounds): { network: string; memory: string } {
  return {
    network: withoutNetwork.length > 0 ? "none" : "not taken away (unshare is missing, or refused)",
    memory: process.platform === "linux" ? "watched, and the first to go when the machine has none left" : "watched",
  };
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
