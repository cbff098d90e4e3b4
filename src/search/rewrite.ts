/**
 * A local, deterministic rewrite of a natural-language question into the words worth searching for.
 * Politeness, question words, auxiliaries and articles go; what stands in quotes stays word for word (without the
 * quotes). English only: text of another language loses its surrounding punctuation and nothing else.
 * A query of which nothing would be left is searched as it was asked.
 */
export function rewriteQuery(query: string): string {
  if (query.length > LONGEST_QUESTION) return query.trim();
  const asked = query.replace(/[\s\uE000]+/gu, " ").trim();
  const phrases: string[] = [];
  const open = asked.replace(QUOTED, (_whole, ...groups: (string | undefined)[]) => {
    phrases.push((groups.slice(0, 3).find((group) => group !== undefined) ?? "").trim());
    return ` ${MARK}${phrases.length - 1}${MARK} `;
  });
  let bare = open.toLowerCase() === open ? open : lowerFirstWord(open);
  for (let rounds = 0; rounds < 4; rounds += 1) {
    const shorter = bare.replace(LEADING, "").replace(TRAILING, "").trim();
    if (shorter === bare) break;
    bare = shorter;
  }
  const words = bare
    .split(" ")
    .map((word) => word.replace(EDGE_PUNCTUATION, ""))
    .filter((word) => word !== "" && !FILLER.has(word.toLowerCase().replaceAll("’", "'")));
  const rewritten = words
    .map((word) =>
      word.replace(new RegExp(`${MARK}(\\d+)${MARK}`, "gu"), (_mark, n: string) => phrases[Number(n)] ?? ""),
    )
    .join(" ")
    .replace(/\s+/gu, " ")
    .trim();
  return rewritten === "" ? asked : rewritten;
}

/** Characters. Longer text is a passage, not a question, and the patterns below are quadratic at worst. */
const LONGEST_QUESTION = 2000;
/** A private-use character, which no query holds on purpose, stands for a quoted phrase while the rest is cut. */
const MARK = "\uE000";
const QUOTED = /"([^"]+)"|“([^”]+)”|«([^»]+)»/gu;
const EDGE_PUNCTUATION = /^[\s"'“”«»¿¡([{,;:.!?…-]+(?=\S)|[\s"'“”«»)\]},;:.!?…-]+$/gu;

const LEADING =
  /^(?:(?:hi|hello|hey|dear)\b[ ,!]*(?:there|all|team|everyone)?[ ,!]*|(?:please|kindly|so|well|ok|okay|um+|uh+|just|also|actually|basically)\b[ ,]*|(?:can|could|would|will) (?:you|we|someone|anyone|anybody)(?: (?:please|kindly|maybe|possibly|also))*\b ?|(?:please )?(?:tell|show|give|help|find|get|let|remind|explain|describe|list)(?: to)? (?:me|us)(?: (?:know|understand|find|see|out))*(?: about| more about| some information (?:on|about))?\b ?|(?:i|we)(?: am|'m|’m| are|'re|’re| was| were)? (?:looking for|searching for|trying to (?:find|understand|know|figure out)|wondering(?: about)?(?: if| whether)?|interested in|curious (?:about|whether|if)|wonder(?: if| whether)?)\b ?|(?:i|we)(?:'d|’d| would)? (?:like|want|need|love|have) to (?:know|find(?: out)?|learn|understand|see|ask)(?: more)?(?: about| if| whether)?\b ?|do you (?:know|happen to know|have (?:any )?(?:idea|information))(?: about| on| if| whether)?\b ?|is there (?:any|some)? ?(?:information|info|documentation|anything) (?:on|about|regarding)\b ?|(?:my|the|a|another|quick) question is\b[ :,]*|(?:a |one )?quick question\b[ :,]*)/iu;
const TRAILING =
  /[ ,;:.!?…-]*(?:\b(?:please|thanks|thank you|thx|many thanks|in advance|exactly|at all|though)\b)?[ ,;:.!?…]*$/iu;

/** Words that carry a question's grammar, not its subject. Negations and numbers are never among them. */
const FILLER = new Set(
  (
    "what what's whats which who who's whom whose when when's where where's why how how's " +
    "is are was were be been being am isn't aren't do does did doing can could should would will shall may might must " +
    "the a an this that these those there there's it it's its i i'm i've me my mine we we're us our you you're your " +
    "of to for in on at by with from as about into than then and or so if please tell show exactly actually really just"
  ).split(" "),
);

/** "What" at the start is the same word as "what"; a name at the start keeps its capital. */
function lowerFirstWord(text: string): string {
  const first = /^\p{L}+(?:['’]\p{L}+)?/u.exec(text)?.[0] ?? "";
  return FILLER.has(first.toLowerCase()) ? first.toLowerCase() + text.slice(first.length) : text;
}
