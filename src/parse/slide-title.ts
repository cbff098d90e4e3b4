import type { ParsedDocument } from "./document.ts";

/** A presentation's title is its first slide's where the program has filled one in by itself, or where there is none. */
export function titleBySlides(document: ParsedDocument): ParsedDocument {
  if (document.title === null || isFilledIn(document.title)) document.title = document.headings[0]?.text ?? null;
  return document;
}

function isFilledIn(title: string): boolean {
  return NUMBERED.test(title) || NAMED.test(title) || UNTITLED.test(title);
}

/** `Slide 1`, `Folie 1`, `スライド 1` */
const NUMBERED = /^\p{L}+ ?\d+$/u;
/** `PowerPoint Presentation`, `Présentation PowerPoint`, `Apresentação do PowerPoint` */
const NAMED =
  /^(?:title|pr(?:é|e)sentation.*|folie.*|(?:microsoft )?power ?point.*|\p{L}+ (?:(?:d[eio]|standard di) )?power ?point)$/iu;
const UNTITLED =
  /^(?:no slide title|(?:ingen|ingen tittel på) (?:lysbilde|dias|bild)\p{L}*|aucun titre de diapositive|kein(?:e)? folientitel|sin título de diapositiva|nessun titolo diapositiva|sem título de slide|没有幻灯片标题|無投影片標題)$/iu;
