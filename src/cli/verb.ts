import type { Flags } from "./arguments.ts";
import type { Terminal } from "./terminal.ts";

/** A row of the table of verbs. */
export interface Verb {
  usage: string;
  summary: string;
  /** The words that may follow the verb, or its store, where they are a choice: for completion. */
  actions?: readonly string[];
  /** Its words may be files or folders of this machine: for completion. */
  takesPaths?: true;
  /** Brings in only what this verb needs: `serve` starts without the others' code. */
  load: () => Promise<{
    /** What `lectern help VERB` says under the usage line. */
    help: string;
    /** Its options, for completion; a test holds them against the help text. */
    flags?: Flags;
    /** The exit status: 0 done, 1 failed; what is thrown has its own (terminal.ts). */
    run: (argv: readonly string[], terminal: Terminal) => Promise<number>;
  }>;
}
