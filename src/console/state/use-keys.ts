import { useLayoutEffect, useRef } from "preact/hooks";

/**
 * Keys of one letter or sign each, pressed anywhere but where somebody writes.
 * @param keys all of them, as in "jk/"
 */
export function useKeys(keys: string, onKey: (event: KeyboardEvent) => void): void {
  const latest = useRef(onKey);
  latest.current = onKey;
  // At once: what the keys are for can be seen, so they may be pressed.
  useLayoutEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.key.length === 1 && keys.includes(event.key) && !isTyping(event)) latest.current(event);
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, [keys]);
}

/** Keys belong to the field in which somebody writes. */
function isTyping({ target, ctrlKey, metaKey, altKey }: KeyboardEvent): boolean {
  return (
    ctrlKey || metaKey || altKey || (target instanceof Element && target.closest("input, textarea, select") !== null)
  );
}
