/**
 * The soak itself: some clients, each going through the families in an order of its own, disturbances on a schedule, samples,
 * and at the end everything that is known looked at once more.
 */
import { messageOf } from "../../src/errors.ts";
import { memoryOf } from "../helpers/process-memory.ts";
import { seededRandom, type SeededRandom } from "../helpers/random.ts";
import { Asker } from "./asker.ts";
import type { Episode } from "./episode.ts";
import { ADMIN_FAMILIES } from "./families/admin.ts";
import { ANSWER_FAMILIES } from "./families/answers.ts";
import { FILE_FAMILIES } from "./families/files.ts";
import { checkErased } from "./erased.ts";
import { fill } from "./fill.ts";
import { PROGRAM_FAMILIES } from "./families/programs.ts";
import { SEARCH_FAMILIES } from "./families/search.ts";
import { House } from "./house.ts";
import { Ledger } from "./ledger.ts";
import { Library } from "./library.ts";
import { Sampler } from "./sampler.ts";
import { type Planned, scheduleOf } from "./schedule.ts";
import { sweep } from "./sweep.ts";
import { Interrupted, Wrong } from "./wrong.ts";

const CLIENTS = 3;
const AFTER_INTERRUPTION_MS = 500;
/**
 * At least so much between the beginnings of two episodes of a client where nothing is said: the load is then the same for
 * as long as the machine keeps up. What grows with the load is otherwise taken for what grows by itself.
 */
const PACE_MS = 600;
/** Of a rest: until the memory has not fallen for so long, and at most so long. */
const STILL_MS = 12_000;
const MOST_REST_MS = 60_000;
/** Part of the soak that filling what is remembered may take. */
const MOST_FILL = 0.08;
/** Of a server in a storm of kills, and how many of them stand between other disturbances. */
const LEAST_LIFE_MS = 5;
const MOST_LIFE_MS = 3_000;
const BETWEEN_OTHERS = 20;
const OTHERS = ["sweep", "clock", "full", "restart"] as const;
/** Wrong answers after which nothing more is learned. */
const MOST_WRONG = 200;

export interface SoakOptions {
  durationMs: number;
  seed: number;
  sampleMs: number;
  /** A storm instead of the schedule: killed so often, at most three seconds after each start; it takes as long as it takes. */
  kills?: number | undefined;
  /** Instead of the usual one; 0: as fast as it goes. */
  paceMs?: number | undefined;
  /** Called after each sample. */
  onSample?: (soak: Soak) => void;
  log?: (line: string) => void;
}

export interface FamilyCount {
  done: number;
  interrupted: number;
  wrong: number;
}

const LIBRARY: Episode = {
  family: "lasting stores",
  run: async ({ ask, library, random }) => {
    for (let i = 0; i < 3; i++) await library.visit(ask, random);
  },
};

export const FAMILIES: readonly Episode[] = [
  LIBRARY,
  ...FILE_FAMILIES,
  ...SEARCH_FAMILIES,
  ...ANSWER_FAMILIES,
  ...ADMIN_FAMILIES,
  ...PROGRAM_FAMILIES,
];

export class Soak {
  readonly house: House;
  readonly ledger: Ledger;
  readonly sampler: Sampler;
  readonly library = new Library();
  readonly families = new Map<string, FamilyCount>();
  readonly wrong: string[] = [];
  /** What happened when, in seconds since the start. */
  readonly events: { at: number; what: string }[] = [];
  readonly options: SoakOptions;
  /** Seconds since the start at which the filling of what is remembered was over. */
  filledAt = 0;
  /** Whether it came to the end; null: nothing was to be filled. */
  isFilled: boolean | null = null;
  readonly #startedMs = performance.now();
  readonly #active = new Set<string>();
  #serial = 0;
  #isOver = false;
  /** Clients begin nothing new until it is resolved. */
  #pause: Promise<void> = Promise.resolve();
  #isPaused = false;

  private constructor(house: House, ledger: Ledger, options: SoakOptions) {
    this.house = house;
    this.ledger = ledger;
    this.options = options;
    this.sampler = new Sampler(house, ledger, () => this.library.size);
    for (const { family } of FAMILIES) this.families.set(family, { done: 0, interrupted: 0, wrong: 0 });
  }

  /** Runs to its end; the house is still there afterwards and is the caller's to take down. */
  static async run(options: SoakOptions): Promise<Soak> {
    const house = await House.open();
    try {
      const { paths } = (await (await house.server.fetch("/docs/json")).json()) as {
        paths: Record<string, Record<string, unknown>>;
      };
      const soak = new Soak(house, new Ledger(paths), options);
      await soak.#run();
      return soak;
    } finally {
      await house[Symbol.asyncDispose]();
    }
  }

  get seconds(): number {
    return (performance.now() - this.#startedMs) / 1000;
  }

  async #run(): Promise<void> {
    const { durationMs, seed } = this.options;
    await this.library.open(this.#asker("library"));
    const clients = Array.from({ length: CLIENTS }, (_, i) => this.#client(seededRandom(seed + i)));
    const sampling = this.#sample();
    await this.#disturb(seededRandom(seed + 1000));
    await Bun.sleep(Math.max(0, durationMs - this.seconds * 1000));
    this.#isOver = true;
    await Promise.all([...clients, sampling]);
    await this.#look("at the end", seed);
    await this.house.kill();
    await this.#look("after a last kill", seed);
  }

  #asker(name: string): Asker {
    return new Asker(this.house, this.ledger, name);
  }

  /** Every family in turn, in a new order each time. */
  async #client(random: SeededRandom): Promise<void> {
    while (!this.#isOver) {
      const round = FAMILIES.flatMap((family) => (family === LIBRARY ? Array<Episode>(6).fill(family) : [family]));
      for (const episode of round.map((one) => ({ one, at: random() })).toSorted((a, b) => a.at - b.at)) {
        await this.#pause;
        if (this.#isOver) return;
        const beganMs = performance.now();
        await this.#episode(episode.one, random);
        await Bun.sleep(Math.max(0, beganMs + (this.options.paceMs ?? PACE_MS) - performance.now()));
      }
    }
  }

  async #episode(episode: Episode, random: SeededRandom): Promise<void> {
    const name = `ep${++this.#serial}`;
    const count = this.families.get(episode.family) ?? { done: 0, interrupted: 0, wrong: 0 };
    this.#active.add(name);
    try {
      const { house, library } = this;
      await episode.run({ ask: this.#asker(name), house, library, random });
      count.done++;
    } catch (error) {
      if (error instanceof Interrupted) {
        count.interrupted++;
        // Nothing is learned from a hundred refusals a second.
        await Bun.sleep(AFTER_INTERRUPTION_MS);
      } else {
        count.wrong++;
        this.#tellWrong(`${episode.family} (${name})`, error);
      }
    } finally {
      this.#active.delete(name);
    }
  }

  #tellWrong(where: string, error: unknown): void {
    const stack = error instanceof Error && !(error instanceof Wrong) ? (error.stack ?? "") : "";
    const line = `${this.seconds.toFixed(0)} s, ${where}: ${messageOf(error)} ${stack}`;
    this.wrong.push(line);
    this.options.log?.(`WRONG ${line}\n${this.house.server.log().slice(-1500)}`);
    if (this.wrong.length >= MOST_WRONG) this.#isOver = true;
  }

  #note(what: string): void {
    this.events.push({ at: this.seconds, what });
    this.options.log?.(`${this.seconds.toFixed(0)} s: ${what}`);
  }

  async #disturb(random: SeededRandom): Promise<void> {
    const { durationMs, kills } = this.options;
    if (kills !== undefined) return await this.#storm(random, kills);
    for (const { atMs, kind } of scheduleOf(durationMs, random)) {
      await Bun.sleep(Math.max(0, atMs - this.seconds * 1000));
      if (this.#isOver) return;
      this.#note(kind);
      await this.#happens(kind, random);
    }
  }

  async #storm(random: SeededRandom, kills: number): Promise<void> {
    for (let n = 1; n <= kills && !this.#isOver; n++) {
      await Bun.sleep(LEAST_LIFE_MS + random.below(MOST_LIFE_MS - LEAST_LIFE_MS));
      await this.#happens("kill", random);
      if (n % BETWEEN_OTHERS !== 0) continue;
      const other = OTHERS[(n / BETWEEN_OTHERS) % OTHERS.length] ?? "sweep";
      this.#note(`${n} kills; ${other}`);
      await this.#happens(other, random);
    }
  }

  async #happens(kind: Planned["kind"], random: SeededRandom): Promise<void> {
    try {
      if (kind === "kill") await this.house.kill();
      else if (kind === "restart") await this.house.restart();
      else if (kind === "clock")
        this.house.moveClock(random() < 0.8 ? 600 + random.below(5 * 3600) : -random.below(90));
      else if (kind === "full") await this.house.fillDisk(6_000, () => this.#searchWhileFull());
      else if (kind === "fill") await this.#alone(() => this.#fill(random));
      else if (kind === "rest") await this.#alone(() => this.#rest());
      else await sweep(this.#asker("sweep"), this.#active, this.library);
    } catch (error) {
      if (error instanceof Interrupted) return;
      this.#tellWrong(kind, error);
      // A server that is away stays away.
      if (kind === "kill" || kind === "restart") this.#isOver = true;
    }
  }

  /** While no client does anything. */
  async #alone(act: () => Promise<void>): Promise<void> {
    const over = Promise.withResolvers<void>();
    this.#pause = over.promise;
    this.#isPaused = true;
    try {
      while (this.#active.size > 0) await Bun.sleep(100);
      await act();
    } finally {
      this.#isPaused = false;
      over.resolve();
    }
  }

  async #fill(random: SeededRandom): Promise<void> {
    const most = this.options.durationMs * MOST_FILL;
    await this.library.fill(this.#asker("library"), random, most / 2);
    this.isFilled = await fill(this.#asker("fill"), random, most / 2);
    // What was asked for that is no part of the load.
    this.ledger.takeTimes();
    this.filledAt = this.seconds;
    this.#note(this.isFilled ? "what is remembered is full" : "what is remembered is not full: this machine is slow");
  }

  /** Until the server has collected its garbage and given back what it gives back. */
  async #rest(): Promise<void> {
    const beganMs = performance.now();
    let least = Infinity;
    let leastMs = beganMs;
    while (performance.now() - leastMs < STILL_MS && performance.now() - beganMs < MOST_REST_MS) {
      const { privateBytes } = memoryOf(this.house.server.pid);
      if (privateBytes < least * 0.995) [least, leastMs] = [privateBytes, performance.now()];
      await Bun.sleep(500);
    }
    await this.sampler.takeAtRest();
  }

  /** Reading needs no space. */
  async #searchWhileFull(): Promise<void> {
    const ask = this.#asker("full");
    for (const { id } of this.library.shelves) {
      const response = await ask.raw("POST", `/v1/vector_stores/${id}/search`, { query: "harbour" });
      const text = await response.text();
      if (response.ok) continue;
      const log = this.house.server.log().slice(-2500);
      throw new Wrong(`a search while the disk is full: ${response.status} ${text}\n${log}`);
    }
  }

  async #sample(): Promise<void> {
    while (!this.#isOver) {
      await this.house.untilOpen();
      if (!this.#isPaused) {
        await this.sampler.take();
        this.options.onSample?.(this);
      }
      await Bun.sleep(this.options.sampleMs);
    }
  }

  async #look(what: string, seed: number): Promise<void> {
    this.#note(`everything is looked at ${what}`);
    try {
      await this.library.checkAll(this.#asker("look"), seededRandom(seed + 2000));
      await sweep(this.#asker("look"), this.#active, this.library);
      await checkErased(this.#asker("look"));
    } catch (error) {
      this.#tellWrong(what, error);
    }
  }
}
