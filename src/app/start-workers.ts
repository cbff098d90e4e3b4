import type { Config } from "../config/config.ts";
import { DEFAULT_LIMITS } from "../parse/limits.ts";
import { messageOf } from "../errors.ts";
import { StartError } from "../platform/data-dir.ts";
import { type Natives, unpackNatives } from "../platform/native.ts";
import { findProcessBounds, type ProcessBounds } from "../platform/process-bounds.ts";
import { GraphLane } from "../workers/graph-lane.ts";
import { ImageLane } from "../workers/image-lane.ts";
import { NativeLanes } from "../workers/native-lane.ts";
import { createOcr } from "../workers/ocr-setup.ts";
import { ParseLane } from "../workers/parse-lane.ts";
import { TextLane } from "../workers/text-lane.ts";

/** The lanes of what runs outside the serving thread. */
export interface Workers extends AsyncDisposable {
  readonly natives: Natives;
  /** Models and rerankers. */
  readonly lanes: NativeLanes;
  readonly parse: ParseLane;
  readonly graphs: GraphLane;
  readonly images: ImageLane;
  /** Texts that come with a request. */
  readonly texts: TextLane;
  /** What bounds the processes that read documents, for the log. */
  readonly bounds: ProcessBounds;
  /** Of the processes that read documents and scans, and write images of indexes. */
  residentBytes(): number;
  /** Busy, waiting and restarted workers, by lane. */
  stats(): [lane: string, stats: LaneStats][];
}

export interface LaneStats {
  busy: number;
  waiting: number;
  restarts: number;
}

export type WorkerSettings = Pick<
  Config,
  | "nativeLevel"
  | "embedWorkers"
  | "rerankThreads"
  | "parseWorkers"
  | "maxFileParseSeconds"
  | "parseMemoryMb"
  | "maxFileTextMb"
  | "ocr"
  | "ocrLanguages"
  | "maxOcrPages"
  | "maxOcrSeconds"
  | "testFailpoint"
>;

const MB = 1024 * 1024;
/** Threads that the model of a query may use: a query is short, and others want the cores. */
const QUERY_THREADS = 1;

/** Workers are started when they are first needed. */
export async function startWorkers(settings: WorkerSettings, dataDir: string): Promise<Workers> {
  await using stack = new AsyncDisposableStack();
  const natives = await openNatives(dataDir, settings.nativeLevel);
  const lanes = stack.use(
    new NativeLanes({
      natives,
      ingestWorkers: settings.embedWorkers,
      queryThreads: QUERY_THREADS,
      rerankThreads: settings.rerankThreads,
    }),
  );
  const bounds = await findProcessBounds();
  const memoryBytes = settings.parseMemoryMb * MB;
  const ocr = stack.use(
    createOcr({
      mode: settings.ocr,
      languages: settings.ocrLanguages,
      dataDir,
      maxPages: settings.maxOcrPages,
      maxSeconds: settings.maxOcrSeconds,
      slots: Math.max(1, settings.parseWorkers >> 1),
      memoryBytes,
      bounds,
    }),
  );
  const parse = stack.use(
    new ParseLane({
      workers: settings.parseWorkers,
      deadlineMs: settings.maxFileParseSeconds * 1000,
      memoryBytes,
      bounds,
      limits: { ...DEFAULT_LIMITS, maxTextLength: settings.maxFileTextMb * MB },
      ocr,
    }),
  );
  const graphs = stack.use(new GraphLane(natives, settings.embedWorkers));
  const images = stack.use(new ImageLane({ natives, bounds, failpoint: settings.testFailpoint }));
  const texts = stack.use(new TextLane());
  const teardown = stack.move();
  return {
    natives,
    lanes,
    parse,
    graphs,
    images,
    texts,
    bounds,
    residentBytes: () => parse.residentBytes() + ocr.residentBytes() + images.residentBytes(),
    stats: () => Object.entries({ ...lanes.stats(), parse: parse.stats(), text: texts.stats() }),
    [Symbol.asyncDispose]: () => teardown.disposeAsync(),
  };
}

/** The addons of this machine, taken out of the executable into the data directory. */
async function openNatives(dataDir: string, level: Config["nativeLevel"]): Promise<Natives> {
  try {
    return await (level === "auto" ? unpackNatives(dataDir) : unpackNatives(dataDir, level));
  } catch (error) {
    throw new StartError(messageOf(error), { cause: error });
  }
}
