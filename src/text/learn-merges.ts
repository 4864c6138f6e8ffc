/**
 * Learning the merges of a byte-level BPE vocabulary from text, for checkpoints that are made, not downloaded: the pair of
 * neighbours that occurs most often becomes one token, again and again, within the words that the tokenizer splits.
 */
import { tokenOfBytes } from './byte-level.js';
import { QWEN_SPLIT_PATTERN } from './byte-tokenizer.js';

/** A pair of vocabulary entries, spelled in the byte alphabet. */
export type Merge = readonly [left: string, right: string];

interface Word {
  parts: string[];
  readonly count: number;
}

/** The first `count` merges for `texts`, fewer if nothing occurs twice any more; ties go to the pair that sorts first. */
export function learnMerges(texts: Iterable<string>, count: number): Merge[] {
  const words = splitWords(texts);
  const merges: Merge[] = [];
  while (merges.length < count) {
    const best = mostFrequent(words);
    if (!best) break;
    merges.push(best);
    for (const word of words) join(word, best);
  }
  return merges;
}

function splitWords(texts: Iterable<string>): Word[] {
  // JavaScript spells the flag of the published pattern, (?i:...), for a whole expression only.
  const pattern = new RegExp(QWEN_SPLIT_PATTERN.replace('(?i:', '(?:'), 'gu');
  const encoder = new TextEncoder();
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const [word] of text.normalize('NFC').matchAll(pattern)) {
      counts.set(word, (counts.get(word) ?? 0) + 1);
    }
  }
  return [...counts].map(([word, count]) => ({ parts: [...tokenOfBytes(encoder.encode(word))], count }));
}

function mostFrequent(words: readonly Word[]): Merge | undefined {
  const counts = new Map<string, number>();
  for (const { parts, count } of words) {
    for (let i = 1; i < parts.length; i++) {
      // A space is never part of an entry.
      const pair = `${parts[i - 1]} ${parts[i]}`;
      counts.set(pair, (counts.get(pair) ?? 0) + count);
    }
  }
  let best = '';
  let most = 1;
  for (const [pair, count] of counts) {
    if (count > most || (count === most && best !== '' && pair < best)) [best, most] = [pair, count];
  }
  const [left, right] = best.split(' ');
  return right === undefined ? undefined : [left, right];
}

function join(word: Word, [left, right]: Merge): void {
  const { parts } = word;
  const joined: string[] = [];
  for (let i = 0; i < parts.length; i++) {
    if (parts[i] === left && parts[i + 1] === right) {
      joined.push(left + right);
      i++;
    } else joined.push(parts[i]);
  }
  if (joined.length < parts.length) word.parts = joined;
}
