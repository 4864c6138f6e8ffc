/** Which option a text names: the robust reading that rewards, evaluation and synthesis share. */

/** What {@link answerIn} found. */
export interface FoundAnswer {
  /** The option named; undefined when none is. */
  readonly letter: string | undefined;
  /** How it was named, or why it counts as no answer. */
  readonly how:
    | 'letter'
    | 'letter and text'
    | 'option text'
    | 'statement'
    | 'no answer tags'
    | 'several answer tags'
    | 'empty answer'
    | 'letter is not an option'
    | 'letter and text disagree'
    | 'several options'
    | 'not an option';
}

/** Settings of {@link answerIn}. */
export interface AnswerOptions {
  /**
   * `required`: exactly one pair of answer tags, as a reward wants it. `optional`: without any tag the text after the
   * reasoning is the answer, or what it states ("the answer is C"), which gives untrained models their due.
   */
  readonly tags?: 'required' | 'optional';
}

/**
 * Finds the option that a completion answers with: its letter (`C`, `(c)`, `C.`, `option C`), letter and text, or the
 * option's text, without regard to case, inside exactly one pair of answer tags. What is ambiguous is no answer.
 */
export function answerIn(
  completion: string,
  options: Readonly<Record<string, string>>,
  settings: AnswerOptions = {},
): FoundAnswer {
  const { open, close } = countTags(completion, 'answer');
  if (open === 0 && close === 0 && settings.tags === 'optional') return untagged(completion, options);
  if (open > 1 || close > 1) return { letter: undefined, how: 'several answer tags' };
  const inside = /<answer>([\s\S]*)<\/answer>/i.exec(completion);
  if (inside === null) return { letter: undefined, how: 'no answer tags' };
  return matchOption(inside[1] as string, options);
}

function untagged(completion: string, options: Readonly<Record<string, string>>): FoundAnswer {
  const reply = completion.replace(/^[\s\S]*<\/think>/i, '');
  const found = matchOption(reply, options);
  if (found.letter !== undefined || found.how === 'empty answer') return found;
  const letter = statedAnswer(reply, options);
  return letter === undefined ? found : { letter, how: 'statement' };
}

/**
 * The option that a text concludes with in words: "the answer is C", "the correct option is (c)", "answer: pneumonia",
 * `\boxed{C}`. Undefined where it states none, or different ones.
 */
export function statedAnswer(text: string, options: Readonly<Record<string, string>>): string | undefined {
  const statements = [
    ...text.matchAll(/\b(?:answer|option|choice)\s*(?:is|:|would be|must be)\s*:?\s*(?=([^\n]{1,400}))/gi),
    ...text.matchAll(/(\\boxed\{[^{}]*\})/g),
  ].map((match) => match[1] as string);
  const letters = new Set(statements.map((statement) => leadingOption(statement, options)));
  const [only] = letters;
  return letters.size === 1 ? only : undefined;
}

/** The option that a statement begins with: all of it, its first sentence, or an upper-case letter that stands alone. */
function leadingOption(statement: string, options: Readonly<Record<string, string>>): string | undefined {
  const sentence = statement.split(/[.;](?:\s|$)/)[0] as string;
  for (const text of [statement, sentence]) {
    const { letter } = matchOption(text, options);
    if (letter !== undefined) return letter;
  }
  const alone = /^[*_`"'([{]*(?:option )?([A-Z])(?![\w'’])(?!\s+(?:or|and|nor)\b)/.exec(statement)?.[1];
  const article = alone === 'A' && /^A\s+\w/.test(statement);
  return alone !== undefined && !article && Object.hasOwn(options, alone) ? alone : undefined;
}

/** How often a tag opens and closes in a text. */
export function countTags(text: string, tag: 'answer' | 'think'): { open: number; close: number } {
  return {
    open: text.match(new RegExp(`<${tag}>`, 'gi'))?.length ?? 0,
    close: text.match(new RegExp(`</${tag}>`, 'gi'))?.length ?? 0,
  };
}

/** The option that a text is: its letter, letter and text, or text, with nothing else around it. */
export function matchOption(text: string, options: Readonly<Record<string, string>>): FoundAnswer {
  const said = fold(stripMarkup(text));
  if (said === '') return { letter: undefined, how: 'empty answer' };
  const texts = Object.entries(options).map(([letter, option]) => ({ letter, text: fold(option) }));
  const named = (wanted: string) =>
    texts.filter((option) => option.text === wanted).map(({ letter }) => letter);

  const lead =
    /^(?:the )?(?:(?:correct |final )?(?:answer|option|choice)(?: is)?:?\s*)?[([{]?([a-z])[)\]}]?\s*(?:[.:,)\-–—]\s*|\s+|$)(.*)$/s.exec(
      said,
    );
  if (lead !== null) {
    const letter = (lead[1] as string).toUpperCase();
    const rest = fold(lead[2] as string);
    if (rest === '') {
      if (Object.hasOwn(options, letter)) return { letter, how: 'letter' };
      // An option may itself be one letter, as in gradings; only then is it not a slip.
      const byText = named(said);
      if (byText.length === 1) return { letter: byText[0], how: 'option text' };
      return { letter: undefined, how: 'letter is not an option' };
    }
    const meant = named(rest);
    if (Object.hasOwn(options, letter) && meant.includes(letter)) return { letter, how: 'letter and text' };
    if (meant.length > 0 && named(said).length === 0)
      return { letter: undefined, how: 'letter and text disagree' };
  }
  const found = named(said);
  if (found.length === 1) return { letter: found[0], how: 'option text' };
  return { letter: undefined, how: found.length > 1 ? 'several options' : 'not an option' };
}

/** Without `\boxed{}`, `**`, quotes and LaTeX dollars around it. */
function stripMarkup(text: string): string {
  let out = text.trim();
  for (let before = ''; before !== out; ) {
    before = out;
    out = out
      .replace(/^\\boxed\{([\s\S]*)\}$/, '$1')
      .replace(/^\\text\{([\s\S]*)\}$/, '$1')
      .replace(/^(\*{1,3}|_{1,2}|`{1,3}|\$|["'“”‘’«»])([\s\S]*?)(?:\1|["”’»])$/, '$2')
      .trim();
  }
  return out;
}

/** The same for spellings that differ in case, spaces, the form of characters and a final stop. */
function fold(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/[\s.,;:!]+$/, '');
}
