/** Words of a question that is made from a passage. */
const WORDS = 10;

/** What may be asked of a passage where nobody asked anything: the beginning of a sentence in its middle. */
export function questionFrom(text: string): string {
  const sentences = text.split(/(?<=[.!?\u3002])\s+/).filter((sentence) => sentence.length > 20);
  const sentence = sentences[Math.floor(sentences.length / 2)] ?? text;
  return sentence.split(/\s+/).slice(0, WORDS).join(" ").slice(0, 200).trim();
}
