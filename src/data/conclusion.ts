/** Which options reasoning names, and which of them it ends on. */
import { statedAnswer } from './answer.js';

/** Words before an option that reject it. */
const REJECTION =
  /\b(?:not|no|never|rather than|instead of|unlike|rules? out|ruled out|exclud\w*|unlikely|without|than)\b|n['’]t\b/i;

/**
 * The option that reasoning ends on: what its last statement of an answer says, else the only option that the last
 * sentence to name any, by letter or by text, does not reject.
 */
export function conclusionOf(
  reasoning: string,
  options: Readonly<Record<string, string>>,
): string | undefined {
  for (const sentence of sentencesOf(reasoning).reverse()) {
    const stated = REJECTION.test(sentence) ? undefined : statedAnswer(sentence, options);
    if (stated !== undefined) return stated;
    const named = mentionsOf(sentence, options);
    const meant = named.filter(({ rejected }) => !rejected).map(({ letter }) => letter);
    if (meant.length === 1) return meant[0];
    // Weighing several options against each other is no conclusion, and what came before it is none any more.
    if (meant.length > 1) return undefined;
  }
  return undefined;
}

/** The sentences of a text; lines end sentences, too. */
export function sentencesOf(text: string): string[] {
  return text
    .split(/(?<=[.!?;])\s+|\n+/)
    .map((sentence) => sentence.trim())
    .filter((sentence) => sentence !== '');
}

/** Where a sentence names an option, by letter or by text. */
export interface Mention {
  readonly letter: string;
  readonly start: number;
  readonly end: number;
  /** Words before it in its clause reject it. */
  readonly rejected: boolean;
}

/** Options that a sentence names; an option whose text is part of another one that is named does not count. */
export function mentionsOf(sentence: string, options: Readonly<Record<string, string>>): Mention[] {
  const found: Mention[] = [];
  const longestFirst = Object.entries(options).sort(([, a], [, b]) => b.length - a.length);
  for (const [letter, text] of longestFirst) {
    const words = escaped(text.trim()).replace(/\s+/g, '\\s+');
    const byText = new RegExp(`(?<![\\p{L}\\p{N}])(?:${words})(?![\\p{L}\\p{N}])`, 'iu');
    const match = byLetter(letter).exec(sentence) ?? byText.exec(sentence);
    if (!match) continue;
    const [start, end] = [match.index, match.index + match[0].length];
    if (found.some((other) => start >= other.start && end <= other.end)) continue;
    found.push({ letter, start, end, rejected: REJECTION.test(clauseBefore(sentence, start)) });
  }
  return found;
}

/** A letter on its own: in brackets, after "option", or before a stop; so the article and the pronoun are none. */
function byLetter(letter: string): RegExp {
  return new RegExp(
    `\\(${letter}\\)|\\b(?:[Oo]ption|[Cc]hoice|[Aa]nswer)\\s+${letter}\\b|\\b${letter}(?=\\)|$|[.,:;!?])`,
  );
}

/** What stands before a place in its own clause. */
function clauseBefore(sentence: string, at: number): string {
  return sentence
    .slice(0, at)
    .split(/,|;|\bbut\b|\bso\b|\band\b/i)
    .at(-1) as string;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
