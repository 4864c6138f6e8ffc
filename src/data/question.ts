/** Questions about images: what every reader yields and everything else works on. */
import type { AnswerKind, OpenAnswer } from './answers/open.js';
import type { Place } from './errors.js';

/** A picture: a path below the dataset's folder, or the bytes of a file that came inside the dataset. */
export type ImageSource = string | EmbeddedImage;

/** A picture stored in the dataset file itself (Parquet). */
export interface EmbeddedImage {
  readonly bytes: Uint8Array;
  /** A name for messages and reports. */
  readonly name: string;
}

/** Where a sample was read. */
export interface Source extends Place {
  readonly line: number;
  /** Folder that image paths are relative to. */
  readonly root: string;
}

/** What questions and conversations have in common; the names are those of the JSONL files. */
export interface SampleFields {
  readonly id: string;
  readonly images: readonly ImageSource[];
  readonly modality?: string;
  readonly question_type?: string;
  readonly dataset?: string;
  /** Fields of the record that Osler has no use for, kept for user rewards and for conversion. */
  readonly extra?: Readonly<Record<string, unknown>>;
  readonly source?: Source;
}

/** What error messages call a sample: the line that it was read from, or else its id. */
export function sampleName({ id, source }: SampleFields): string {
  return source ? `${source.file}:${source.line}` : `sample ${id}`;
}

/** A question with its answer: one of several options, or an open one. */
export interface Question extends SampleFields {
  readonly question: string;
  /** Text of each option by letter, in order; none of an open question. */
  readonly options: Readonly<Record<string, string>>;
  /** Letter of the right option; of an open question the answer as one would write it. */
  readonly answer: string;
  /** What an open question's answer has to be; absent where there are options. `gradeAnswer` compares. */
  readonly open?: OpenAnswer;
  /** Reference reasoning, for fine-tuning. */
  readonly reasoning?: string;
  /** Question and options in the very words of the source, where `problemText` would not give them back. */
  readonly problem?: string;
}

/** Names of the fields in our JSONL, in order; `image` stands for a list of one. */
export const QUESTION_FIELDS: ReadonlySet<string> = new Set(
  (
    'id image images question options answer answers tolerance unit bbox answer_kind ' +
    'modality question_type dataset reasoning problem'
  ).split(' '),
);

/** The kind of answer that a question wants. */
export function answerKind({ open }: Pick<Question, 'open'>): AnswerKind {
  return open?.kind ?? 'choice';
}

/** Letters of a question's options, in order. */
export function letters(question: Pick<Question, 'options'>): string[] {
  return Object.keys(question.options);
}

/** The letter of the option at an index. */
export function letterAt(index: number): string {
  return String.fromCharCode(0x41 + index);
}

/** Question and options in one line, as Med-R1 writes them: `What is it? A)one, B)two`. */
export function problemText(question: Pick<Question, 'question' | 'options' | 'problem' | 'open'>): string {
  if (question.problem !== undefined) return question.problem;
  if (question.open !== undefined) return question.question;
  const options = Object.entries(question.options).map(([letter, text]) => `${letter})${text}`);
  return `${question.question} ${options.join(', ')}`;
}

/** Reads {@link problemText} back; undefined where the text does not list at least two options from A on. */
export function parseProblem(
  problem: string,
): { question: string; options: Record<string, string> } | undefined {
  return parseInline(problem) ?? parseLines(problem);
}

/** `question A)text, B)text`: from the last A) that a B) follows, since a question may itself speak of "A)". */
function parseInline(problem: string): { question: string; options: Record<string, string> } | undefined {
  for (let from = problem.length; from >= 0; ) {
    const at = problem.lastIndexOf(' A)', from);
    if (at < 0) return undefined;
    const options: Record<string, string> = {};
    let start = at + 3;
    for (let index = 1; ; index++) {
      const next = index < 26 ? problem.indexOf(`, ${letterAt(index)})`, start) : -1;
      options[letterAt(index - 1)] = problem.slice(start, next < 0 ? undefined : next).trim();
      if (next < 0) break;
      start = next + 4;
    }
    const question = problem.slice(0, at).trim();
    if (question !== '' && 'B' in options && Object.values(options).every((text) => text !== '')) {
      return { question, options };
    }
    from = at - 1;
  }
  return undefined;
}

/** One option a line: `A. text`, `A) text`, `(A) text`, `A: text`. */
function parseLines(problem: string): { question: string; options: Record<string, string> } | undefined {
  const lines = problem.split(/\r?\n/);
  const found = lines.map((line) => /^\s*\(?([A-Z])[).:]\s*(\S.*?)\s*$/.exec(line));
  const first = found.findIndex((match) => match?.[1] === 'A');
  if (first < 0) return undefined;
  const options: Record<string, string> = {};
  for (let i = first; i < found.length && found[i]?.[1] === letterAt(i - first); i++) {
    options[letterAt(i - first)] = found[i]?.[2] as string;
  }
  const question = lines
    .slice(0, first)
    .join('\n')
    .replace(/\s*(options|choices)\s*:\s*$/i, '')
    .trim();
  return 'B' in options && question !== '' ? { question, options } : undefined;
}
