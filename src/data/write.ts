/** Questions as our JSONL and as Parquet. */
import { DataError } from './errors.js';
import type { Question } from './question.js';

/** One line of JSONL, without the line break. Pictures must be files: write embedded ones out first. */
export function questionLine(question: Question): string {
  return JSON.stringify(questionRecord(question));
}

/** The fields of a question as our JSONL has them. */
export function questionRecord(question: Question): Record<string, unknown> {
  const { images, extra, source, id, question: text, options, answer, ...rest } = question;
  const embedded = images.find((image) => typeof image !== 'string');
  if (embedded !== undefined) {
    throw new DataError(
      { file: source?.file ?? id, line: source?.line, field: 'image' },
      'has its picture inside of the dataset; write pictures to files first',
    );
  }
  const [only] = images;
  return {
    id,
    ...(images.length === 1 ? { image: only } : { images }),
    question: text,
    options,
    answer,
    ...rest,
    ...extra,
  };
}

/** Questions as a Parquet file; options become JSON-like structs of the letters in use. */
export async function questionsToParquet(questions: readonly Question[]): Promise<ArrayBuffer> {
  const { parquetWriteBuffer } = await import('hyparquet-writer');
  const text = (name: string, value: (q: Question) => string | undefined) => ({
    name,
    data: questions.map((q) => value(q) ?? null),
    type: 'STRING' as const,
    nullable: true,
  });
  const records = questions.map(questionRecord);
  return parquetWriteBuffer({
    columnData: [
      text('id', (q) => q.id),
      { name: 'images', data: questions.map((q) => q.images as string[]), type: 'JSON' as const },
      text('question', (q) => q.question),
      { name: 'options', data: questions.map((q) => q.options), type: 'JSON' as const },
      text('answer', (q) => q.answer),
      text('modality', (q) => q.modality),
      text('question_type', (q) => q.question_type),
      text('dataset', (q) => q.dataset),
      text('reasoning', (q) => q.reasoning),
      text('problem', (q) => q.problem),
    ].filter(({ name }) => records.some((record) => name in record || name === 'images')),
  });
}
