import type { Semaphore } from "../platform/semaphore.ts";

/** The model that a store's vectors are made with, cut to the store's dimensions. */
export interface StoreModel {
  id: string;
  revision: string;
  dimensions: number;
}

/** How jobs ask a model for vectors of passages. */
export interface PassageBatching {
  /** Texts of one call. */
  texts: number;
  /** Texts that all jobs together may wait for: enough to keep the model busy, few enough to hold in memory. */
  room: Semaphore;
  /**
   * Tokens that the model takes at once: a longer chunk has several vectors anyway, and may be given in blocks that it
   * shares with its neighbours. Null where chunks are given whole.
   */
  window: number | null;
  /** Tokens of a window of a file, in a generation made with the model now; null: its vectors are those of chunks. */
  windowTokens: number | null;
}
