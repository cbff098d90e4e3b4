/** The archive that a Debian package is, of few members: written here, so that a package can be made on every machine. */
export interface Member {
  name: string;
  content: Uint8Array;
}

/** All of one time and one owner, so that the same members give the same bytes. */
export function packAr(members: readonly Member[]): Uint8Array {
  const text = (written: string) => new TextEncoder().encode(written);
  const parts = members.flatMap(({ name, content }) => [
    text(headerOf(name, content.byteLength)),
    content,
    text(content.byteLength % 2 === 1 ? "\n" : ""),
  ]);
  return Buffer.concat([text("!<arch>\n"), ...parts]);
}

/** Fields of fixed width: name, time, owner, group, mode, size. */
function headerOf(name: string, bytes: number): string {
  const fields = [name.padEnd(16), "0".padEnd(12), "0".padEnd(6), "0".padEnd(6), "100644".padEnd(8)];
  return `${fields.join("")}${String(bytes).padEnd(10)}\`\n`;
}
