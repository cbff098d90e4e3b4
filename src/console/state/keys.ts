/** Keys belong to the field in which somebody writes. */
export function isTyping({ target, ctrlKey, metaKey, altKey }: KeyboardEvent): boolean {
  return (
    ctrlKey || metaKey || altKey || (target instanceof Element && target.closest("input, textarea, select") !== null)
  );
}
