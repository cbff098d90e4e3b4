/**
 * Paragraphs of format=flowed text (RFC 3676): a line that ends with a blank goes on in the next one of the same depth
 * of quotation. `deletesSpace` is DelSp=yes, where that blank is no part of the text, as in languages without blanks.
 */
export function unwrapFlowed(text: string, deletesSpace: boolean): string {
  const out: string[] = [];
  /** Depth of the paragraph that the next line goes on with; -1 where none is open. */
  let open = -1;
  for (const line of text.split("\n")) {
    const quotes = /^>*/.exec(line)![0].length;
    // Lines that begin with a blank, a mark of quotation or "From " have been given one more blank.
    const content = line.slice(quotes).replace(/^ /, "");
    const isSignature = content === "-- ";
    // An empty line parts paragraphs, also where the one above it asks for more.
    if (content === "") open = -1;
    const flows = content.endsWith(" ") && !isSignature;
    const said = flows && deletesSpace ? content.slice(0, -1) : content;
    if (open === quotes && !isSignature) out[out.length - 1] += said;
    else out.push(`${">".repeat(quotes)}${quotes > 0 ? " " : ""}${said}`);
    open = flows ? quotes : -1;
  }
  return out.map((line) => line.trimEnd()).join("\n");
}
