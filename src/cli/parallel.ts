/** At most `limit` at a time, in order; the first error stops the rest and is thrown. */
export async function inParallel<T>(
  { limit, signal }: { limit: number; signal: AbortSignal },
  items: readonly T[],
  run: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  let failed = false;
  const lane = async () => {
    while (!failed && !signal.aborted) {
      const item = items[next++];
      if (item === undefined) return;
      try {
        await run(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const results = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, lane));
  for (const result of results) if (result.status === "rejected") throw result.reason;
}
