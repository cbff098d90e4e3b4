/** What a screen reader is told of what happens by itself: at most one message in five seconds, the latest. */
const REST_MS = 5000;

let region: HTMLElement | null = null;
let waiting: string | null = null;
let resting = false;

/** The element that is read aloud. */
export function setLiveRegion(element: HTMLElement | null): void {
  region = element;
}

export function announce(text: string): void {
  waiting = text;
  if (!resting) say();
}

function say(): void {
  if (waiting === null) return;
  if (region !== null) region.textContent = waiting;
  waiting = null;
  resting = true;
  setTimeout(() => {
    resting = false;
    say();
  }, REST_MS);
}
