/**
 * Rows of Parquet files, decoded in a process of their own with a deadline and a limit on memory.
 *
 * The decoder trusts the counts that a file claims. A damaged run length makes it write billions of values into an array,
 * and no check of ours could rule that out without decoding: run lengths lie inside of compressed pages, below levels and
 * dictionaries. A thread cannot interrupt itself; another thread could stop it, but one that outgrows its heap takes the
 * whole process with it, whatever its `resourceLimits`, where a single array is what grows. A process can only end itself.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { TableError, type TableLimits, type TableRow, type TableSource } from '../ports/tables.js';
import type { ParquetReply, ParquetRequest } from './parquet-messages.js';

/** A decoding process that waits for another file: starting one costs more than reading a small file. */
let idle: { readonly child: ChildProcess; readonly megabytes: number } | undefined;

/**
 * The rows of a Parquet file, some at a time.
 *
 * @throws TableError where they cannot be read within the limits.
 */
export async function* parquetRows(
  source: TableSource,
  { seconds = 60, megabytes = 2048 }: TableLimits,
): AsyncGenerator<TableRow[]> {
  const child = await takeChild(megabytes);
  let reusable = false;
  try {
    for (let request: ParquetRequest = source; ; request = 'next') {
      const reply = await ask(child, request, { seconds, megabytes });
      if ('rows' in reply) {
        yield reply.rows;
        continue;
      }
      reusable = true;
      if ('error' in reply) {
        throw new TableError(`is not a Parquet file that can be read (${reply.error.slice(0, 200)})`);
      }
      return;
    }
  } finally {
    if (reusable && idle === undefined) park(child, megabytes);
    else stop(child);
  }
}

async function takeChild(megabytes: number): Promise<ChildProcess> {
  const waiting = idle;
  idle = undefined;
  if (waiting?.megabytes === megabytes && waiting.child.connected) {
    waiting.child.ref();
    waiting.child.channel?.ref();
    return waiting.child;
  }
  if (waiting) stop(waiting.child);
  const child = startChild(megabytes);
  const first = await nextReply(child);
  if (!first) throw new Error(`the process that reads Parquet files did not start: ${nodePath()}`);
  return child;
}

function startChild(megabytes: number): ChildProcess {
  // By the package's own name for it: tests and benchmarks run from sources, which Node 20 could not start.
  const script = createRequire(import.meta.url).resolve('#osler/platform/node/parquet-child.js');
  const child = fork(script, [], {
    execPath: nodePath(),
    execArgv: [`--max-old-space-size=${megabytes}`],
    serialization: 'advanced',
    // V8's last words on a heap that is full would alarm people; the error says what they need to know.
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const end = () => stop(child);
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  // A process that cannot be written to ends as well, which is what whoever waits for it hears of.
  child.on('error', () => stop(child));
  return child;
}

/** Node started by a linker named on its command line takes that for itself. */
function nodePath(): string {
  return /^ld[-.]/.test(path.basename(process.execPath)) ? process.argv0 : process.execPath;
}

async function ask(
  child: ChildProcess,
  request: ParquetRequest,
  { seconds, megabytes }: Required<TableLimits>,
): Promise<Exclude<ParquetReply, { ready: true }>> {
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    stop(child);
  }, seconds * 1000);
  const reply = nextReply(child);
  child.send(request);
  const answer = await reply;
  clearTimeout(timer);
  if (late) throw new TableError(`is damaged: reading it did not end within ${seconds} s`);
  if (!answer)
    throw new TableError(
      `cannot be read in ${megabytes} MB of memory: it is damaged, or its row groups are too large`,
    );
  return answer as Exclude<ParquetReply, { ready: true }>;
}

/** The next message, or undefined where the process ends first. */
function nextReply(child: ChildProcess): Promise<ParquetReply | undefined> {
  return new Promise((resolve) => {
    const done = (reply?: ParquetReply) => {
      child.off('message', onMessage).off('exit', onEnd).off('error', onEnd);
      resolve(reply);
    };
    const onMessage = (reply: unknown) => done(reply as ParquetReply);
    const onEnd = () => done();
    child.on('message', onMessage).on('exit', onEnd).on('error', onEnd);
  });
}

/** Keeps a process for the next file without keeping this one alive. */
function park(child: ChildProcess, megabytes: number): void {
  child.unref();
  child.channel?.unref();
  idle = { child, megabytes };
}

function stop(child: ChildProcess): void {
  child.kill('SIGKILL');
}
