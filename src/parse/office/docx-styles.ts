import { attribute, readXml } from "../xml.ts";

/** 1 for the outermost, from a value that counts from 0; 0 for running text. */
export function outlineLevel(value: string | undefined): number {
  const level = Number.parseInt(value ?? "", 10);
  return level >= 0 && level <= 8 ? level + 1 : 0;
}

/** Headings of publishers' templates, which set no outline level. */
function namedLevel(name: string): number {
  if (/^(?:title|chapter ?title|section ?title|book ?title|part ?title)$/i.test(name)) return 1;
  const letter = /^(?:head|h|heading|a-head|level)[ _-]?([a-e])$/i.exec(name)?.[1];
  return letter === undefined ? 0 : 2 + "abcde".indexOf(letter.toLowerCase());
}

export interface WordStyle {
  /** 0 for running text. */
  level: number;
  /** The list that paragraphs of this style are items of; "" for none. */
  listId: string;
  listLevel: number;
  basedOn: string;
  /** Text of this style is hidden; undefined where the style does not say. */
  isHidden: boolean | undefined;
  /** Font of its Latin letters; "" where the style does not say. */
  font: string;
}

/** The font of a run's Latin letters and symbols. */
export function fontOf(attributes: Record<string, string>): string {
  return attribute(attributes, "ascii") ?? attribute(attributes, "hAnsi") ?? "";
}

function emptyStyle(): WordStyle {
  return { level: 0, listId: "", listLevel: 0, basedOn: "", isHidden: undefined, font: "" };
}

/** A property that is on unless it says that it is off. */
export function isOn(attributes: Record<string, string>): boolean {
  return !/^(?:0|false|off|none)$/i.test(attribute(attributes, "val") ?? "");
}

/** What each style of paragraphs or characters says, of its own or inherited: heading level, list, hiding, font. */
export function wordStyles(bytes: Uint8Array | null): Map<string, WordStyle> {
  const styles = new Map<string, WordStyle>();
  if (bytes !== null) {
    let style = emptyStyle();
    readXml(bytes, {
      open(name, attributes) {
        const value = attribute(attributes, "val") ?? "";
        if (name === "style") {
          style = emptyStyle();
          styles.set(attribute(attributes, "styleId") ?? "", style);
        } else if (name === "name") {
          const digit = /^heading (\d)/i.exec(value)?.[1];
          if (digit !== undefined) style.level = Number(digit);
          else style.level = namedLevel(value);
        } else if (name === "basedOn") {
          style.basedOn = value;
        } else if (name === "outlineLvl") {
          style.level ||= outlineLevel(value);
        } else if (name === "numId") {
          style.listId = value;
        } else if (name === "ilvl") {
          style.listLevel = Number(value) || 0;
        } else if (name === "vanish") {
          style.isHidden = isOn(attributes);
        } else if (name === "rFonts") {
          style.font = fontOf(attributes);
        }
      },
    });
  }
  for (const style of styles.values()) {
    let { basedOn } = style;
    for (let hops = 0; hops < 10; hops++) {
      const base = styles.get(basedOn);
      if (base === undefined) break;
      style.level ||= base.level;
      style.isHidden ??= base.isHidden;
      style.font ||= base.font;
      if (style.listId === "") {
        style.listId = base.listId;
        style.listLevel ||= base.listLevel;
      }
      basedOn = base.basedOn;
    }
  }
  return styles;
}
