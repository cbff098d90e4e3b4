/**
 * What people put around a question that they send to an assistant, in English, German, French and Spanish. Data only:
 * questions.ts says what it is for. Every pattern is bounded, so that none takes more than linear time.
 */

/** What a frame is about: "According to the uploaded **file**, …". */
const MATERIAL =
  "files?|documents?|docs?|pdfs?|texts?|context|knowledge base|uploads?|uploaded|attachments?|attached|sources?|" +
  "information|passages?|data|materials?|manuals?|handbooks?|reports?|vector stores?|" +
  "datei(?:en)?|dokument(?:e|en|es|s)?|unterlagen?|texte[ns]?|quellen?|kontext(?:e?s)?|anhang|anhänge|informationen|" +
  "fichiers?|textes?|contexte|pièces? jointes?|informations?|" +
  "archivos?|documentos?|ficheros?|textos?|fuentes?|contexto|adjuntos?|información";
const FRAME_START =
  "according to|based on|based upon|using|by using|given|from|with|looking at|considering|referring to|as per|per|in|" +
  "with the help of|with reference to|" +
  "laut|gemäß|nach|anhand|basierend auf|ausgehend von|auf (?:der )?(?:grundlage|basis)|aus|mit|unter verwendung|in|" +
  "selon|d['’]après|en utilisant|à partir|sur la base|dans|avec|en (?:te|vous|se) basant sur|" +
  "según|de acuerdo con|usando|utilizando|con|en base a|basándo(?:te|se) en|a partir de|en";
/** How long or in which manner: "In one sentence, …". */
const MANNER =
  "be (?:very )?(?:concise|brief|short|precise|specific)|briefly|shortly|in short|in brief|" +
  "in (?:a|an|one|two|three|\\d{1,3}) (?:short |simple |few )?(?:sentences?|words?|lines?|paragraphs?)|in simple terms|step by step|" +
  "(?:ganz )?kurz(?: gesagt)?|knapp|sei kurz|in (?:einem|zwei|drei|\\d{1,3}) (?:kurzen )?(?:satz|sätzen|wort|worten|wörtern)|" +
  "en bref|brièvement|en (?:une|deux|trois|\\d{1,3}) phrases?|sois bref|soyez bref|" +
  "en breve|brevemente|en (?:una|dos|tres|\\d{1,3}) (?:frases?|oración|oraciones)|sé breve|sea breve";

/** At the beginning of a sentence, to be taken off again and again. */
export const FRAMES: readonly RegExp[] = [
  new RegExp(
    `^(?:${FRAME_START})(?=[\\s'’])[^,:?!.]{0,80}(?<![\\p{L}])(?:${MATERIAL})(?![\\p{L}])[^,:?!.]{0,60}[,:]\\s*`,
    "iu",
  ),
  new RegExp(`^(?:please |bitte |s'il (?:te|vous) plaît,? |por favor,? )?(?:${MANNER})\\s*[,:]\\s*`, "iu"),
  /^(?:and|und|et|y|then|please|bitte|por favor|also)\s+(?=\S)/iu,
  /^(?:tell|give|write|show|name|find) (?:me |us )?(?:a|an|one|two|three|some|\d{1,3}) (?:\p{L}+ ){0,2}?(?:sentences?|facts?|paragraphs?|words?|lines?|summary|overview|bullet points?) (?:about|on|of) /iu,
  /^(?:nenne?|sag|sage|gib|schreib|schreibe) (?:mir |uns )?(?:einen|eine|ein|zwei|drei|\d{1,3}) (?:\p{L}+ ){0,2}?(?:satz|sätze|fakt|fakten|absatz|stichpunkte|zusammenfassung|überblick) (?:über|zu|von) /iu,
  /^(?:dis|dites|donne|donnez|écris|écrivez)(?:[- ](?:moi|nous))? (?:une?|deux|trois|\d{1,3}) (?:\p{L}+ ){0,2}?(?:phrases?|faits?|paragraphes?|résumé) (?:sur|de|à propos de) /iu,
  /^(?:dime|dame|di|da|escribe|escríbeme) (?:una?|dos|tres|\d{1,3}) (?:\p{L}+ ){0,2}?(?:frases?|hechos?|párrafos?|resumen) (?:sobre|de|acerca de) /iu,
];

const SAY =
  "answer|respond|reply|cite|quote|list|mention|include|name|give|provide|keep|use|write|format|return|output|state|explain|add|limit|make|" +
  "antworten?|antworte|beantworte|beantworten|zitiere|zitieren|nenne|nennen|gib|geben|belege|belegen|verwende|verwenden|schreibe|schreiben|halte|halten|fasse|fassen|" +
  "réponds|répondez|cite|citez|indique|indiquez|donne|donnez|utilise|utilisez|écris|écrivez|mentionne|mentionnez|" +
  "responde|responda|responder|contesta|conteste|cita|indica|indique|da|dé|usa|escribe|escriba|menciona|mencione";
const FORM =
  "sentences?|words?|paragraphs?|lines?|bullets?|bullet points?|briefly|brief|short|concise|concisely|shortly|detail|detailed|english|german|french|spanish|" +
  "markdown|json|your answers?|the answer|(?:your|the|all|any|its|used)? ?(?:sources?|citations?|references?)|page numbers?|file ?names?|step by step|" +
  "satz|sätzen|worten|wörtern|stichpunkten|kurz|knapp|ausführlich|deutsch|englisch|(?:deine|die|ihre|alle)? ?quellen?|quellenangaben?|belege?|zitate?|seitenzahlen?|" +
  "phrases?|mots|bref|brièvement|concis|français|anglais|(?:tes|vos|les)? ?sources?|références?|" +
  "frases?|oración|oraciones|palabras|breve|brevemente|español|inglés|(?:tus|sus|las)? ?fuentes?|referencias?|citas";

/** Sentences that only say how to answer. */
export const MANNERS: readonly RegExp[] = [
  new RegExp(
    `^(?:please |kindly |bitte |s'il (?:te|vous) plaît,? |por favor,? |always |and )*(?:${SAY})(?: sie)?(?![\\p{L}])[^?]{0,60}?(?<![\\p{L}])(?:${FORM})[.!]*$`,
    "iu",
  ),
  new RegExp(`^(?:please |bitte |por favor,? )?(?:${MANNER})[.!]*$`, "iu"),
  /^(?:please )?(?:do not|don['’]t|never) (?:guess|make (?:things|anything|it) up|invent|speculate|hallucinate)[^?]{0,60}$/iu,
  /^if (?:you (?:do not|don['’]t|cannot|can['’]t)|(?:it|the answer) is(?: not|n['’]t)) [^?]{0,100}\b(?:say|tell|state)\b[^?]{0,60}$/iu,
  /^(?:thanks?|thank you|danke|vielen dank|merci|gracias)(?: (?:in advance|im voraus|d['’]avance|de antemano|you))?[.!]*$/iu,
];

/** A message that begins so goes on with what was said before. */
export const CONTINUES =
  /^(?:and|or|but|so|it|its|it['’]s|they|them|their|he|him|his|she|her|this|that|these|those|there|what about|how about|und|oder|aber|es|er|sie|ihr|ihre|sein|seine|das|dies|diese|dieser|davon|dazu|et|ou|mais|il|elle|ils|elles|cela|ça|ce|ces|leur|leurs|y|o|pero|él|ella|ellos|ellas|eso|esto|esos|estas|su|sus)(?![\p{L}])/iu;

/** Words that say nothing of what is asked about. */
export const EMPTY_WORDS: ReadonlySet<string> = new Set(
  (
    "what which who whom whose when where why how is are was were be been do does did can could should would will may might must " +
    "the a an this that these those there it its i me my we us our you your he she they them their of to for in on at by with from as about into than then and or so if not please tell " +
    "was wer wem wen wann wo warum wie welche welcher welches ist sind war waren sein kann können soll muss wird werden der die das den dem des ein eine einen einem einer es ich mir wir uns sie ihr ihnen er von zu für im auf an mit aus als über und oder wenn nicht bitte " +
    "que quoi quel quelle quels quelles qui quand où pourquoi comment est sont était être peut le la les un une des du de il elle ils elles je me nous vous en au aux par avec pour sur et ou si ne pas ce cette ces " +
    "qué cuál cuáles quién cuándo dónde por cómo es son era ser puede el los las uno una unos unas del al lo yo nos se con para sobre y o si no este esta estos estas su sus"
  ).split(" "),
);

/** The words of a text that say what it is about, in lower case. */
export function contentWords(text: string): Set<string> {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return new Set(words.filter((word) => !EMPTY_WORDS.has(word)));
}
