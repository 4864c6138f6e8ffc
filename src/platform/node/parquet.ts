/**
 * Rows of Parquet files, decoded by a helper with a deadline and a limit on memory.
 *
 * The decoder trusts the counts that a file claims. A damaged run length makes it write billions of values into an array,
 * and no check of ours could rule that out without decoding: run lengths lie inside of compressed pages, below levels and
 * dictionaries. A thread cannot interrupt itself; another thread could stop it, but one that outgrows its heap takes the
 * whole process with it, whatever its `resourceLimits`, where a single array is what grows. A process can only end itself.
 */
import { HelperPool } from '../helper-pool.js';
import { type Helper, HelperError } from '../ports/helpers.js';
import { TableError, type TableLimits, type TableRow, type TableSource } from '../ports/tables.js';
import { nodeHelpers } from './helper.js';
import type { ParquetReply, ParquetRequest } from './parquet-messages.js';

/** By the memory that they may take, in MB. */
const pools = new Map<number, HelperPool>();

/**
 * The rows of a Parquet file, some at a time.
 *
 * @throws TableError where they cannot be read within the limits.
 */
export async function* parquetRows(
  source: TableSource,
  { seconds = 60, megabytes = 2048 }: TableLimits,
): AsyncGenerator<TableRow[]> {
  const pool = poolOf(megabytes);
  const helper = await pool.take();
  let isBetweenFiles = false;
  try {
    for (let request: ParquetRequest = source; ; request = 'next') {
      const reply = await ask(helper, request, { seconds, megabytes });
      if ('rows' in reply) {
        yield reply.rows;
        continue;
      }
      isBetweenFiles = true;
      if ('error' in reply) {
        throw new TableError(`is not a Parquet file that can be read (${reply.error.slice(0, 200)})`);
      }
      return;
    }
  } finally {
    if (isBetweenFiles) pool.give(helper);
    else helper.end();
  }
}

function poolOf(megabytes: number): HelperPool {
  let pool = pools.get(megabytes);
  if (!pool) {
    pool = new HelperPool(() => nodeHelpers.start('parquet', { megabytes }));
    pools.set(megabytes, pool);
  }
  return pool;
}

async function ask(
  helper: Helper,
  request: ParquetRequest,
  { seconds, megabytes }: Required<TableLimits>,
): Promise<ParquetReply> {
  try {
    return (await helper.ask(request, { seconds })) as ParquetReply;
  } catch (error) {
    if (!(error instanceof HelperError)) throw error;
    throw new TableError(
      error.kind === 'late'
        ? `is damaged: reading it did not end within ${seconds} s`
        : `cannot be read in ${megabytes} MB of memory: it is damaged, or its row groups are too large`,
      { cause: error },
    );
  }
}
