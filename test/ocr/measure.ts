/** Words read wrongly, missed or made up, as a part of the words that there are. */
export function wordErrorRate(read: string, wanted: string): number {
  const [ours, theirs] = [wordsOf(read), wordsOf(wanted)];
  let before = Array.from({ length: ours.length + 1 }, (_, i) => i);
  theirs.forEach((word, i) => {
    const row = [i + 1];
    ours.forEach((other, j) => {
      row.push(Math.min((before[j] ?? 0) + (word === other ? 0 : 1), (before[j + 1] ?? 0) + 1, (row[j] ?? 0) + 1));
    });
    before = row;
  });
  return (before.at(-1) ?? 0) / Math.max(1, theirs.length);
}

function wordsOf(text: string): string[] {
  return text.normalize("NFKC").split(/\s+/).filter(Boolean);
}
