/** Choosing the samples of a run: questions only, by modality, question type or dataset, at most so many. */

import { answerIn } from './answer.js';
import type { Conversation } from './conversation.js';
import { isConversation } from './conversation.js';
import { DataError } from './errors.js';
import { parseProblem, type Question, type SampleFields } from './question.js';
import { Random } from './random.js';
import type { Sample } from './readers/schemas.js';

/** Which samples to keep; a list that is absent keeps all. */
export interface Filter {
  readonly modalities?: readonly string[];
  readonly questionTypes?: readonly string[];
  readonly datasets?: readonly string[];
  /** Keep at most this many, drawn with `seed`; the order stays. */
  readonly limit?: number;
  readonly seed?: number;
}

/**
 * The samples that pass a filter.
 *
 * @throws DataError naming a value that no sample has, since that is a spelling mistake.
 */
export function select<T extends SampleFields>(samples: readonly T[], filter: Filter): T[] {
  const fields = [
    ['modality', filter.modalities],
    ['question_type', filter.questionTypes],
    ['dataset', filter.datasets],
  ] as const;
  let kept = samples.slice();
  for (const [field, values] of fields) {
    if (values === undefined) continue;
    const known = new Set(samples.map((sample) => sample[field]?.toLowerCase()));
    const wanted = new Set(values.map((value) => value.toLowerCase()));
    const missing = values.find((value) => !known.has(value.toLowerCase()));
    if (missing !== undefined) {
      const there = [...new Set(samples.map((sample) => sample[field] ?? 'none'))].sort().join(', ');
      throw new DataError(
        { file: 'filter', field },
        `${JSON.stringify(missing)} is in no sample; there are ${there}`,
      );
    }
    kept = kept.filter((sample) => wanted.has(sample[field]?.toLowerCase() ?? ''));
  }
  if (filter.limit === undefined || kept.length <= filter.limit) return kept;
  const order = new Random(filter.seed ?? 0, 'limit').shuffle(kept.map((_, i) => i)).slice(0, filter.limit);
  return order.sort((a, b) => a - b).map((i) => kept[i] as T);
}

/** The questions among samples, and the conversations that could not be read as questions. */
export function questionsOf(samples: readonly Sample[]): { questions: Question[]; problems: DataError[] } {
  const questions: Question[] = [];
  const problems: DataError[] = [];
  for (const sample of samples) {
    const question = isConversation(sample) ? questionFromConversation(sample) : sample;
    if (question instanceof DataError) problems.push(question);
    else questions.push(question);
  }
  return { questions, problems };
}

/** A conversation of one question with lettered options and one answer, as a question. */
function questionFromConversation(sample: Conversation): Question | DataError {
  const { messages, ...fields } = sample;
  const bad = (problem: string) =>
    new DataError(
      { file: sample.source?.file ?? sample.id, line: sample.source?.line, field: 'messages' },
      problem,
    );
  const turns = messages.filter(({ role }) => role !== 'system');
  if (turns.length !== 2 || turns[0]?.role !== 'user' || turns[1]?.role !== 'assistant') {
    return bad('are not one question and one answer');
  }
  const [prompt, reply] = turns.map(({ content }) =>
    typeof content === 'string'
      ? content
      : content.map((part) => (part.type === 'text' ? part.text : '')).join(''),
  ) as [string, string];
  const parsed = parseProblem(prompt.trim());
  if (parsed === undefined) return bad('ask no question with options A, B, ...');
  const { letter } = answerIn(reply, parsed.options, { tags: 'optional' });
  if (letter === undefined) return bad('answer with none of the options');
  const reasoning = /<think>(.*?)<\/think>/s.exec(reply)?.[1]?.trim();
  return {
    ...fields,
    ...parsed,
    answer: letter,
    problem: prompt.trim(),
    ...(reasoning ? { reasoning } : {}),
  };
}
