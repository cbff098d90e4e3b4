import { DocumentBuilder } from "../builder.ts";
import type { ParsedDocument } from "../document.ts";
import { invalidFile } from "../document.ts";
import { decodeText } from "./encoding.ts";
import { parseHtml } from "./html.ts";
import { htmlCharset } from "./markup-text.ts";
import type { ParseLimits } from "../limits.ts";
import { readCoreProperties, readXml, resolvePath } from "../xml.ts";
import type { ZipArchive } from "../zip.ts";

/** EPUB books: the chapters of the spine in their order, each read as HTML. */
export function parseEpub(zip: ZipArchive, limits: ParseLimits): ParsedDocument {
  const packagePath = packageFile(zip);
  const bytes = zip.read(packagePath);
  if (bytes === null) throw invalidFile("The book is damaged: its package file is missing.");
  const out = new DocumentBuilder(limits.maxTextLength);
  readCoreProperties(zip, packagePath, out);
  const title = out.title;
  const items = new Map<string, { href: string; isNavigation: boolean }>();
  const spine: string[] = [];
  readXml(bytes, {
    open(name, attributes) {
      if (name === "item") {
        const isNavigation = (attributes["properties"] ?? "").split(" ").includes("nav");
        items.set(attributes["id"] ?? "", { href: attributes["href"] ?? "", isNavigation });
      } else if (name === "itemref") {
        spine.push(attributes["idref"] ?? "");
      }
    },
  });
  const folder = packagePath.slice(0, packagePath.lastIndexOf("/") + 1);
  const locked = lockedFiles(zip);
  const seen = new Set<string>();
  for (const id of spine) {
    const item = items.get(id);
    if (item === undefined || item.isNavigation) continue;
    const path = resolvePath(folder, safeDecode(item.href.split("#")[0]!));
    // The spine names each chapter once; a file of many names is read once as well.
    if (seen.has(path)) continue;
    seen.add(path);
    if (locked.has(path)) throw invalidFile("The book is copy-protected (DRM), so its text cannot be read.");
    const chapter = zip.read(path);
    if (chapter === null) {
      out.warnings.push("A chapter named in the book is missing from the file.");
      continue;
    }
    parseHtml(decodeText(chapter, htmlCharset(chapter)).text, out, true);
    out.gap();
  }
  out.title = title ?? out.title;
  return out.build("epub");
}

function packageFile(zip: ZipArchive): string {
  const container = zip.read("META-INF/container.xml");
  let path = "";
  if (container !== null) {
    readXml(container, {
      open(name, attributes) {
        if (name === "rootfile" && path === "") path = attributes["full-path"] ?? "";
      },
    });
  }
  return path !== "" ? path : ([...zip.entries.keys()].find((name) => name.endsWith(".opf")) ?? "");
}

function lockedFiles(zip: ZipArchive): Set<string> {
  const out = new Set<string>();
  const bytes = zip.read("META-INF/encryption.xml");
  if (bytes === null) return out;
  readXml(bytes, {
    open(name, attributes) {
      if (name === "CipherReference") out.add(safeDecode(attributes["URI"] ?? ""));
    },
  });
  return out;
}

function safeDecode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
