/** What elements of HTML mean for the text that a reader sees. */

const NEVER = new Set(
  (
    "script style noscript iframe canvas audio video object embed map datalist " +
    // Parts of drawings that are shown elsewhere, if at all.
    "defs symbol metadata"
  ).split(" "),
);
/** Guides to pronunciation: reading them out amid the words would cut those apart. */
const GUIDES = new Set(["rt", "rp", "rtc"]);
export const BLOCKS = new Set(
  (
    "address article aside blockquote body center dd details dialog dir div dl dt fieldset figcaption figure footer form frameset h1 h2 h3 h4 h5 h6 " +
    "header hgroup hr html legend li main menu nav ol optgroup option p pre section select summary table tbody td textarea tfoot th thead tr ul caption"
  ).split(" "),
);
export const OPTIONS = new Set(["option", "optgroup", "hr"]);
export const VOID = new Set("area base br col embed frame hr img input link meta param source track wbr".split(" "));
/** Blocks that hold a sentence, in which elements of no known name are words of it. */
export const SENTENCES = new Set("p h1 h2 h3 h4 h5 h6 summary legend figcaption dt".split(" "));

/** An element of the page's own making. */
export function isCustom(tag: string): boolean {
  return tag.includes("-") && tag !== "annotation-xml" && tag !== "font-face";
}

/**
 * Whether an element is left out with all that it holds. `isStrict` leaves out navigation and closed dialogues as well,
 * unless they stand in an article. Panels and answers that open on demand are text; a hidden word amid others is not.
 */
export function isLeftOut(
  tag: string,
  attributes: Record<string, string>,
  { isStrict, inArticle }: { isStrict: boolean; inArticle: boolean },
): boolean {
  // Formulas that a script sets, in the language of TeX.
  if (tag === "script" && /^math\/tex/i.test(attributes["type"] ?? "")) return false;
  if (NEVER.has(tag) || GUIDES.has(tag)) return true;
  if (tag === "template") return !("shadowrootmode" in attributes);
  if (!isStrict || tag === "html" || tag === "body" || tag === "main") return false;
  if (!BLOCKS.has(tag) && !isCustom(tag) && isHidden(attributes)) return true;
  if (inArticle) return false;
  if (tag === "dialog") return !("open" in attributes);
  return tag === "nav" || tag === "menu" || attributes["role"] === "navigation";
}

function isHidden(attributes: Record<string, string>): boolean {
  if ("hidden" in attributes || attributes["aria-hidden"] === "true") return true;
  return /display\s*:\s*none/i.test(attributes["style"] ?? "");
}

/** Whether the words on both sides of an element that is left out belong together. */
export function isAmidWords(tag: string): boolean {
  return !BLOCKS.has(tag) && !["iframe", "canvas", "audio", "video", "object", "embed"].includes(tag);
}

export const META_NAMES: Record<string, string> = {
  author: "author",
  "dc.creator": "author",
  "article:author": "author",
  description: "description",
  "og:description": "description",
  keywords: "keywords",
  "article:published_time": "created",
  "dc.date": "created",
  date: "created",
  "article:modified_time": "modified",
};
