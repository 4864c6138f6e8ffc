/**
 * How alike two texts are, as words: exact match and F1 as questions are scored (SQuAD), BLEU-4 and ROUGE-L as reports are.
 * All are in [0, 1].
 */

/** Words that say nothing. */
const ARTICLES = new Set(['a', 'an', 'the']);

/**
 * A short answer's words: lower case, without articles and punctuation. A stop or comma between digits stays, since 3.5 is
 * not 35, and hyphens part words, so that `T2-weighted` is `T2 weighted`.
 */
export function answerWords(text: string): string[] {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/['’]/g, '')
    .replace(/(?!(?<=\d)[.,]\d)\p{P}/gu, ' ')
    .split(/\s+/)
    .filter((word) => word !== '' && !ARTICLES.has(word));
}

/** Whether two short answers have the same words in the same order. */
export function sameWords(a: string, b: string): boolean {
  return answerWords(a).join(' ') === answerWords(b).join(' ');
}

/** F1 of the words of an answer against those of a reference, each counted as often as it is there. */
export function tokenF1(answer: string, reference: string): number {
  const [said, wanted] = [answerWords(answer), answerWords(reference)];
  if (said.length === 0 || wanted.length === 0) return said.length === wanted.length ? 1 : 0;
  return f1(overlap(said, wanted), said.length, wanted.length);
}

/** A report's words: runs of letters and digits, in lower case. */
export function reportWords(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/** ROUGE-L: F1 of the longest common subsequence of words. */
export function rougeL(text: string, reference: string): number {
  const [said, wanted] = [reportWords(text), reportWords(reference)];
  if (said.length === 0 || wanted.length === 0) return 0;
  return f1(commonSubsequence(said, wanted), said.length, wanted.length);
}

/** Longest sequences of words that BLEU counts. */
const BLEU_ORDER = 4;

/**
 * BLEU-4 of one text: the geometric mean of the shares of its sequences of 1 to 4 words that the reference has, times a penalty
 * for being shorter. From two words on one is added to both counts (Lin and Och), so that a short text is not simply 0.
 */
export function bleu(text: string, reference: string): number {
  const [said, wanted] = [reportWords(text), reportWords(reference)];
  if (said.length === 0 || wanted.length === 0) return 0;
  let logs = 0;
  for (let n = 1; n <= BLEU_ORDER; n++) {
    const added = n === 1 ? 0 : 1;
    const [own, other] = [sequences(said, n), sequences(wanted, n)];
    const found = overlap(own, other);
    if (n === 1 && found === 0) return 0;
    logs += Math.log((found + added) / (own.length + added));
  }
  const brevity = Math.min(1, Math.exp(1 - wanted.length / said.length));
  return brevity * Math.exp(logs / BLEU_ORDER);
}

function f1(shared: number, said: number, wanted: number): number {
  return shared === 0 ? 0 : (2 * shared) / (said + wanted);
}

function sequences(words: readonly string[], n: number): string[] {
  return Array.from({ length: Math.max(0, words.length - n + 1) }, (_, i) => words.slice(i, i + n).join(' '));
}

/** How many entries two lists share, each counted as often as both have it. */
function overlap(a: readonly string[], b: readonly string[]): number {
  const left = new Map<string, number>();
  for (const word of b) left.set(word, (left.get(word) ?? 0) + 1);
  let shared = 0;
  for (const word of a) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    shared++;
    left.set(word, count - 1);
  }
  return shared;
}

/** Length of the longest common subsequence. */
function commonSubsequence(a: readonly string[], b: readonly string[]): number {
  let row = new Uint32Array(b.length + 1);
  for (const word of a) {
    const next = new Uint32Array(b.length + 1);
    for (let k = 1; k <= b.length; k++) {
      next[k] =
        word === b[k - 1] ? (row[k - 1] as number) + 1 : Math.max(row[k] as number, next[k - 1] as number);
    }
    row = next;
  }
  return row[b.length] as number;
}
