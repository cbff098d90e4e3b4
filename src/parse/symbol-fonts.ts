/**
 * What the characters of symbol fonts show. Such fonts draw their own signs at the places of Latin letters, so that
 * a "m" of the font Symbol is a "μ"; documents name them by that place, or by the same place in the private area
 * (U+F000 to U+F0FF).
 */

/**
 * The Unicode text of one character of a symbol font. `code` is its place: 0x20 to 0xFF, or 0xF020 to 0xF0FF.
 * Null where `font` is no symbol font known here, or draws nothing at that place that Unicode has.
 */
export function symbolText(font: string, code: number): string | null {
  const signs = signsOf(font);
  if (signs === null) return null;
  const place = code >= PRIVATE_AREA && code <= PRIVATE_AREA + 0xff ? code - PRIVATE_AREA : code;
  if (place === FIRST || place === NO_BREAK_SPACE) return " ";
  const sign = signs[place - FIRST];
  return sign === undefined || sign === " " ? null : sign;
}

/** Whether the letters of a font are signs of its own. */
export function isSymbolFont(font: string): boolean {
  return font !== "" && familyOf(font) !== null;
}

const PRIVATE_USE = /[\uf000-\uf0ff]/g;
const HAS_PRIVATE_USE = /[\uf000-\uf0ff]/;
const PLACES = /[!-~\u00a1-\u00ff\uf000-\uf0ff]/g;

/**
 * Text in a symbol font, at its own places or in the private area; `isWhole` where the font draws the letters too.
 * Characters of the private area that no font here explains mean nothing outside it.
 */
export function symbolsRead(text: string, font: string, isWhole: boolean): string {
  if (font === "" && !HAS_PRIVATE_USE.test(text)) return text;
  return text.replace(isWhole ? PLACES : PRIVATE_USE, (sign) => {
    const code = sign.charCodeAt(0);
    return symbolText(font, code) ?? (code < 0x100 ? sign : "");
  });
}

const PRIVATE_AREA = 0xf000;
/** The tables begin at the place of the space. */
const FIRST = 0x20;
const NO_BREAK_SPACE = 0xa0;

const cached = new Map<string, readonly string[]>();

function signsOf(font: string): readonly string[] | null {
  const family = familyOf(font);
  if (family === null) return null;
  let signs = cached.get(family);
  if (signs === undefined) {
    signs = [...FAMILIES[family]];
    cached.set(family, signs);
  }
  return signs;
}

type Family = keyof typeof FAMILIES;

/** A document asks for the font of each run. */
const families = new Map<string, Family | null>();
const MOST_FAMILIES = 1000;

function familyOf(font: string): Family | null {
  const known = families.get(font);
  if (known !== undefined) return known;
  if (families.size >= MOST_FAMILIES) families.clear();
  const family = familyByName(font);
  families.set(font, family);
  return family;
}

/** By the names that programs give the fonts and their substitutes: "Symbol", "SymbolMT", "Wingdings-Regular". */
function familyByName(font: string): Family | null {
  const name = font.toLowerCase().replace(/[^a-z0-9]/g, "");
  if (/^(?:standard)?symbol(?:mt|std|sl|ps|neu|regular|normal)*$/.test(name)) return "symbol";
  const numbered = /^wingdings([23]?)(?:regular|normal|mt)*$/.exec(name);
  if (numbered !== null) return `wingdings${numbered[1] as "" | "2" | "3"}`;
  return /^webdings(?:regular|normal|mt)*$/.test(name) ? "webdings" : null;
}

// Boxes and ticks are the ones that other programs know, not their twins of the same fonts' blocks.
// A line holds 32 places; a space stands where a font draws nothing that Unicode has.
const FAMILIES = {
  symbol:
    " !∀#∃%&∍()*+,−./0123456789:;<=>?" +
    "≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_" +
    "‾αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}~ " +
    "                                " +
    "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…⏐⎯↵" +
    "ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓" +
    "◊〈®©™∑⎛⎜⎝⎡⎢⎣⎧⎨⎩⎪ 〉∫⌠⎮⌡⎞⎟⎠⎤⎥⎦⎫⎬⎭ ",
  wingdings:
    " 🖉✂✁👓🕭🕮🕯🕿✆🖂🖃📪📫📬📭🗀🗁🗎🗏🗐🗄⌛🖮🖰🖲🖳🖴🖫🖬✇✍" +
    "🖎✌🖏👍👎☜☞☝☟🖐☺😐☹💣🕱🏳🏱✈☼🌢❄🕆✞🕈✠✡☪☯🕉☸♈♉" +
    "♊♋♌♍♎♏♐♑♒♓🙰🙵⚫🔾◼☐🞐❑❒🞟⧫◆❖⬩⌧⮹⌘🏵🏶🙶🙷▯" +
    "🄋➀➁➂➃➄➅➆➇➈➉🄌➊➋➌➍➎➏➐➑➒➓🙢🙠🙡🙣🙞🙜🙝🙟∙•" +
    "⬝⭘🞆🞈🞊🞋🔿▪☐🟁🟅★🟋🟏🟓🟑⯐⌖⯎⯏⯑✪✰🕐🕑🕒🕓🕔🕕🕖🕗🕘" +
    "🕙🕚🕛⮰⮱⮲⮳⮴⮵⮶⮷🙪🙫🙕🙔🙗🙖🙐🙑🙒🙓⌫⌦⮘⮚⮙⮛⮈⮊⮉⮋🡨" +
    "🡪🡩🡫🡬🡭🡯🡮🡸🡺🡹🡻🡼🡽🡿🡾⇦⇨⇧⇩⬄⇳⬁⬀⬃⬂🢬🢭✗✓☒☑ ",
  wingdings2:
    " 🖊🖋🖌🖍✄✀🕾🕽🗅🗆🗇🗈🗉🗊🗋🗌🗍📋🗑🗔🖵🖶🖷🖸🖭🖯🖱🖒🖓🖘🖙" +
    "🖚🖛👈👉🖜🖝🖞🖟🖠🖡👆👇🖢🖣🖑🗴🗸🗵☑⮽☒⮾⮿🛇⦸🙱🙴🙲🙳‽🙹🙺" +
    "🙻🙦🙤🙥🙧🙚🙘🙙🙛⓪①②③④⑤⑥⑦⑧⑨⑩⓿❶❷❸❹❺❻❼❽❾❿ " +
    "☉🌕☽☾⸿✝🕇🕜🕝🕞🕟🕠🕡🕢🕣🕤🕥🕦🕧🙨🙩⋅🞄⦁●○🞅🞇🞉⊙⦿🞌" +
    "🞍◾■□🞑🞒🞓🞔▣🞕🞖🞗🞘⬩⬥◇🞚◈🞛🞜🞝🞞⬪⬧◊🞠◖◗⯊⯋⯀⯁" +
    "⬟⯂⬣⬢⯃⯄🞡🞢🞣🞤🞥🞦🞧🞨🞩🞪🞫🞬🞭🞮🞯🞰🞱🞲🞳🞴🞵🞶🞷🞸🞹🞺" +
    "🞻🞼🞽🞾🞿🟀🟂🟄🟆🟉🟊✶🟌🟎🟐🟒✹🟃🟇✯🟍🟔⯌⯍※⁂      ",
  wingdings3:
    " ⭠⭢⭡⭣⭦⭧⭩⭨⭰⭲⭱⭳⭶⭸⭻⭽⭤⭥⭪⭬⭫⭭⭍⮠⮡⮢⮣⮤⮥⮦⮧" +
    "⮐⮑⮒⮓⮀⮃⭾⭿⮄⮆⮅⮇⮏⮍⮎⮌⭮⭯⎋⌤⌃⌥␣⍽⇪⮸🢠🢡🢢🢣🢤🢥" +
    "🢦🢧🢨🢩🢪🢫🡐🡒🡑🡓🡔🡕🡗🡖🡘🡙▲▼△▽◀▶◁▷◣◢◤◥🞀🞂🞁 " +
    "🞃⯅⯆⯇⯈⮜⮞⮝⮟🠐🠒🠑🠓🠔🠖🠕🠗🠘🠚🠙🠛🠜🠞🠝🠟🠀🠂🠁🠃🠄🠆🠅" +
    "🠇🠈🠊🠉🠋🠠🠢🠤🠦🠨🠪🠬🢜🢝🢞🢟🠮🠰🠲🠴🠶🠸🠺🠹🠻🢘🢚🢙🢛🠼🠾🠽" +
    "🠿🡀🡂🡁🡃🡄🡆🡅🡇⮨⮩⮪⮫⮬⮭⮮⮯🡠🡢🡡🡣🡤🡥🡧🡦🡰🡲🡱🡳🡴🡵🡷" +
    "🡶🢀🢂🢁🢃🢄🢅🢇🢆🢐🢒🢑🢓🢔🢖🢕🢗               ",
  webdings:
    " 🕷🕸🕲🕶🏆🎖🖇🗨🗩🗰🗱🌶🎗🙾🙼🗕🗖🗗⏴⏵⏶⏷⏪⏩⏮⏭⏸⏹⏺🗚🗳" +
    "🛠🏗🏘🏙🏚🏜🏭🏛🏠🏖🏝🛣🔍🏔👁👂🏞🏕🛤🏟🛳🕬🕫🕨🔈🎔🎕🗬🙽🗭🗪🗫" +
    "⮔✔🚲⬜🛡📦🛱⬛🚑🛈🛩🛰🟈🕴⬤🛥🚔🗘🗙❓🛲🚇🚍⛳⦸⊖🚭🗮⏐🗯🗲 " +
    "🚹🚺🛉🛊🚼👽🏋⛷🏂🏌🏊🏄🏍🏎🚘🗠🛢💰🏷💳👪🗡🗢🗣✯🖄🖅🖃🖆🖹🖺🖻" +
    "🕵🕰🖽🖾📋🗒🗓🕮📚🗞🗟🗃🗂🖼🎭🎜🎘🎙🎧💿🎞📷🎟🎬📽📹📾📻🎚🎛📺💻" +
    "🖥🖦🖧🕹🎮🕻🕼📟🖁🖀🖨🖩🖿🖪🗜🔒🔓🗝📥📤🕳🌣🌤🌥🌦☁🌨🌧🌩🌪🌬🌫" +
    "🌜🌡🛋🛏🍽🍸🛎🛍Ⓟ♿🛆🖈🎓🗤🗥🗦🗧🛪🐿🐦🐟🐕🐈🙬🙮🙭🙯🗺🌍🌏🌎🕊",
} as const;
