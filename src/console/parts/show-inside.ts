/** Scrolls a box, and not the page around it, until the first such element stands in its upper part. */
export function showInside(box: HTMLElement | null, selector: string): void {
  const element = box?.querySelector<HTMLElement>(selector);
  if (!box || !element) return;
  const top = element.getBoundingClientRect().top - box.getBoundingClientRect().top + box.scrollTop;
  box.scrollTop = top - box.clientHeight / 5;
}
