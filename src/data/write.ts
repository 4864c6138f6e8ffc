/** Questions as our JSONL and as Parquet. */
import { expectedFields } from './answers/record.js';
import { DataError } from './errors.js';
import { QUESTION_FIELDS, type Question } from './question.js';

/** One line of JSONL, without the line break. Pictures must be files: write embedded ones out first. */
export function questionLine(question: Question): string {
  return JSON.stringify(questionRecord(question));
}

/** The fields of a question as our JSONL has them; the source's further fields stand after them. */
export function questionRecord(question: Question): Record<string, unknown> {
  const { images, extra = {}, source, id, question: text, options, answer, open, ...rest } = question;
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
    ...expectedFields(open === undefined ? { options, answer } : { options, answer, open }),
    ...rest,
    // In another schema a name of ours may mean something else, and must not take the place of what was read.
    ...Object.fromEntries(
      Object.entries(extra).map(([key, value]) => [
        QUESTION_FIELDS.has(key) ? `original_${key}` : key,
        value,
      ]),
    ),
  };
}

/**
 * Questions as a Parquet file, one column a field: `images` as a list, options as a map of the letters in use, and the
 * further fields of the records each in a column of its own name, typed where all its values are texts, numbers or truth
 * values and as JSON where not. Rows without a field have null there, which readers take for missing.
 */
export async function questionsToParquet(questions: readonly Question[]): Promise<ArrayBuffer> {
  const { parquetWriteBuffer } = await import('hyparquet-writer');
  const records = questions.map((question): Record<string, unknown> => {
    const { image, ...record } = questionRecord(question);
    return { ...record, images: question.images };
  });
  const known = [...QUESTION_FIELDS].filter((name) => records.some((record) => name in record));
  const names = new Set([...known, ...records.flatMap((record) => Object.keys(record))]);
  return parquetWriteBuffer({
    columnData: [...names].map((name) => {
      const data = records.map((record) => (Object.hasOwn(record, name) ? (record[name] ?? null) : null));
      return { name, data, type: columnType(data), nullable: true };
    }),
  });
}

function columnType(data: readonly unknown[]): 'STRING' | 'DOUBLE' | 'BOOLEAN' | 'JSON' {
  const kinds = new Set(data.filter((value) => value !== null).map((value) => typeof value));
  const [kind] = kinds;
  if (kinds.size !== 1) return 'JSON';
  return kind === 'string'
    ? 'STRING'
    : kind === 'number'
      ? 'DOUBLE'
      : kind === 'boolean'
        ? 'BOOLEAN'
        : 'JSON';
}
