/** What reasoning says of each option: that it is the answer, or that it is not. */
import { mentionsOf, sentencesOf } from '../data/conclusion.js';

/** A judgement of one option. */
export interface Verdict {
  readonly letter: string;
  readonly for: boolean;
  /** The sentence that says so. */
  readonly sentence: string;
}

/** Words after an option that decide for or against it; "may be" or "seems likely" decide nothing. */
const AGAINST =
  /^[^,;:]{0,60}?\b(?:(?:is|are|was|were|can be|must be|looks)\s+(?:therefore\s+|thus\s+|clearly\s+|also\s+)?(?:not\s+(?:correct|right|the\s+(?:right\s+|correct\s+)?answer|possible|supported|consistent)|incorrect|wrong|false|ruled out|excluded|eliminated|impossible|rejected|inconsistent|dismissed|implausible)|(?:does|do|did|can)\s*(?:not|n['’]t)\s+(?:fit|match|apply|hold|be\s+(?:right|correct))|cannot\s+be\s+(?:right|correct|the\s+answer)|isn['’]t\s+(?:right|correct|the\s+answer))/i;
const FOR =
  /^[^,;:]{0,60}?\b(?:is|must be|has to be)\s+(?:therefore\s+|thus\s+|clearly\s+|indeed\s+)?(?:correct|right|confirmed|the\s+(?:correct\s+|right\s+|best\s+|final\s+|only\s+)?(?:answer|choice|option)\b)/i;
/** Words before an option that decide against it. */
const AGAINST_BEFORE =
  /\b(?:rul(?:e|es|ed|ing)\s+out|exclud(?:e|es|ed|ing)|eliminat(?:e|es|ed|ing)|reject(?:s|ed|ing)?|dismiss(?:es|ed|ing)?)\s+(?:the\s+|both\s+|also\s+)?(?:option\s+|choice\s+)?[("']*$/i;
/** Words before an option that decide for it. */
const FOR_BEFORE =
  /\b(?:(?:correct|right|final|best)\s+(?:answer|choice|option)|answer)\s+(?:is|must be|has to be)\s*:?\s*(?:therefore\s+|thus\s+|clearly\s+)?(?:the\s+)?(?:option\s+|choice\s+)?[("'*]*$/i;
/** Turns a statement around: "the answer is not", "it is wrong that". */
const TURNED = /\b(?:not|never|wrong|if|whether|unless)\b[^,;]*$/i;

/** Sentences that only suppose. */
const SUPPOSED = /^(?:if|unless|whether|suppose|supposing|assuming|were|had)\b/i;

/** All clear judgements in a text, in order. */
export function verdictsIn(text: string, options: Readonly<Record<string, string>>): Verdict[] {
  const verdicts: Verdict[] = [];
  for (const sentence of sentencesOf(text)) {
    if (SUPPOSED.test(sentence)) continue;
    for (const { letter, start, end } of mentionsOf(sentence, options)) {
      const before = sentence.slice(0, start);
      // The letter of `B) liver` is followed by its text before anything is said of it.
      const after = sentence.slice(end).replace(/^[)\].:]?\s*/, '');
      if (TURNED.test(before)) continue;
      if (AGAINST_BEFORE.test(before) || AGAINST.test(after)) {
        verdicts.push({ letter, for: false, sentence });
      } else if (FOR_BEFORE.test(before) || FOR.test(after)) {
        verdicts.push({ letter, for: true, sentence });
      }
    }
  }
  return verdicts;
}

/** How verdicts contradict each other or the answer, in words; undefined when they do not. */
export function contradictionIn(verdicts: readonly Verdict[], answer: string): string | undefined {
  const against = verdicts.find((verdict) => verdict.letter === answer && !verdict.for);
  if (against) return `answers ${answer}, of which it says: ${against.sentence}`;
  const other = verdicts.find((verdict) => verdict.letter !== answer && verdict.for);
  return other && `answers ${answer}, but of ${other.letter} it says: ${other.sentence}`;
}
