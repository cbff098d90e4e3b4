/**
 * Requests at fixed instants whether or not earlier ones were answered; a slow answer delays nothing but itself.
 * Resolves to milliseconds from the instant each was due, once all are answered.
 */
export async function openLoop(
  ratePerSecond: number,
  isOver: (sent: number) => boolean,
  ask: () => Promise<unknown>,
): Promise<number[]> {
  const started = performance.now();
  const answers: Promise<number>[] = [];
  for (let i = 0; !isOver(i); i++) {
    const dueMs = started + (i * 1000) / ratePerSecond;
    await Bun.sleep(dueMs - performance.now());
    answers.push(ask().then(() => performance.now() - dueMs));
  }
  return await Promise.all(answers);
}
