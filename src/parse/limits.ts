/** Bounds on what one document may cost. Time and memory are bounded by whoever runs the worker. */
export interface ParseLimits {
  /** Bytes that an archive's members may inflate to, all together. */
  maxInflatedBytes: number;
  /** Inflated bytes per packed byte, looked at once a member is past 1 MiB. */
  maxInflateRatio: number;
  maxArchiveEntries: number;
  maxPages: number;
  /** UTF-16 units of extracted text. */
  maxTextLength: number;
}

export const DEFAULT_LIMITS: ParseLimits = {
  maxInflatedBytes: 512 * 1024 * 1024,
  maxInflateRatio: 200,
  maxArchiveEntries: 20_000,
  maxPages: 20_000,
  maxTextLength: 256 * 1024 * 1024,
};
