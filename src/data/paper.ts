/**
 * Answers as Med-R1's published scripts read them, whatever one may think of it: training compares the first tag pair with
 * the letter, evaluation wants one word between the tags, and its scripts for base models compare the raw output. The
 * expressions follow Python's `re` and `str.strip`, which differ from JavaScript's in what is a space and a line break.
 */

/** What `\s`, `str.isspace` and `str.strip` mean in Python 3. */
const SPACE = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';
/** What `\w` means in Python 3: unlike JavaScript's with letters of all scripts. */
const WORD = '[\\p{L}\\p{N}_]';

/** `re.search(r"<answer>(.*?)</answer>", text)`: `.` is all but a line feed. */
const FIRST_PAIR = /<answer>([^\n]*?)<\/answer>/;
const ONE_WORD = new RegExp(`<answer>${SPACE}*(${WORD}+)${SPACE}*</answer>`, 'u');
const STRIP = new RegExp(`^${SPACE}+|${SPACE}+$`, 'g');
const THINK_FORMAT = new RegExp(`^<think>[^]*?</think>${SPACE}*<answer>[^]*?</answer>$`);
const ANSWER_FORMAT = new RegExp(`^${SPACE}*<answer>[^]*?</answer>$`);

/** Python's `str.strip()`. */
function strip(text: string): string {
  return text.replace(STRIP, '');
}

/**
 * What Med-R1's accuracy reward compares with the letter: the stripped text of the first tag pair that is on one line, or
 * of the whole completion where there is none.
 */
export function paperRewardText(completion: string): string {
  return strip(FIRST_PAIR.exec(completion)?.[1] ?? completion);
}

/** Med-R1's accuracy reward: 1 for exactly the letter, else 0 (`c`, `C)` and `C) liver` are wrong). */
export function paperAccuracy(completion: string, answer: string): 0 | 1 {
  return paperRewardText(completion) === answer ? 1 : 0;
}

/** Med-R1's format reward: 1 where the whole completion is reasoning in tags, then an answer in tags. */
export function paperFormat(completion: string, style: 'think' | 'no-think'): 0 | 1 {
  return (style === 'think' ? THINK_FORMAT : ANSWER_FORMAT).test(completion) ? 1 : 0;
}

/**
 * What Med-R1's evaluation takes for the answer, to be compared with the letter.
 *
 * @param reading `tagged`: one word in answer tags, as for Think and for Qwen2.5-VL; undefined without it. `raw`: the
 * output as it is, as its scripts for No-Think and zero-shot Qwen2-VL do. `either`: tagged where the output has the word
 * "answer", else raw, as for No-Think Qwen2.5-VL.
 */
export function paperAnswer(completion: string, reading: PaperReading = 'tagged'): string | undefined {
  if (reading === 'raw' || (reading === 'either' && !completion.includes('answer'))) return completion;
  return ONE_WORD.exec(completion)?.[1];
}

/** Which of Med-R1's evaluation scripts to follow. */
export type PaperReading = 'tagged' | 'raw' | 'either';
