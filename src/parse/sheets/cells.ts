/** Numbers of spreadsheet cells as people read them. */

const DATE_FORMAT_IDS = new Set([
  14, 15, 16, 17, 18, 19, 20, 21, 22, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 45, 46, 47, 50, 51, 52, 53, 54, 55, 56,
  57, 58,
]);

/** Whether a number format shows a date or time: by its built-in id or its letters. */
export function isDateFormat(id: number, code: string | undefined): boolean {
  if (code === undefined) return DATE_FORMAT_IDS.has(id);
  const bare = code.replace(/"[^"]*"|\\.|\[[^\]]*\]|_.|\*./g, "");
  return /[ymdhs]/i.test(bare) && !/general/i.test(bare) && !/[#0?]\s*(?:[eE][+-])/.test(bare);
}

const DAY_MS = 86_400_000;

export function cellText(value: number, isDate: boolean, epoch1904: boolean): string {
  if (!Number.isFinite(value)) return "";
  if (!isDate || value < 0 || value > 2_958_466) return numberText(value);
  // Day 60 of the 1900 system is a 29 February that never was.
  const days = epoch1904 ? value + 1462 : value < 60 ? value + 1 : value;
  const date = new Date(Math.round((days - 25_569) * DAY_MS));
  const iso = date.toISOString();
  if (value < 1) return iso.slice(11, 19);
  return Number.isInteger(value) ? iso.slice(0, 10) : `${iso.slice(0, 10)} ${iso.slice(11, 19)}`;
}

/** Shortest form without the noise of binary fractions. */
function numberText(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(15)));
}
