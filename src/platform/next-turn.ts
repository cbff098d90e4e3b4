const waiting: (() => void)[] = [];

/**
 * Lets requests in between two steps of synchronous work. Steps that wait at the same time, whoever's they are, get a
 * turn of the event loop each, so that a request never waits for more than one of them.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(takeTurn);
  });
}

function takeTurn(): void {
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(takeTurn);
}
