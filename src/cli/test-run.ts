/** Runs commands in the process of a test, with what they print. */
import { vi } from 'vitest';
import yargs, { type CommandModule } from 'yargs';

/** What a command printed, and the exit code that it set. */
export interface Printed {
  readonly out: string;
  readonly err: string;
  readonly exitCode: number;
}

/** Runs a command with the words of a command line; what it throws comes through. */
export async function runCommand<T>(command: CommandModule<object, T>, ...words: string[]): Promise<Printed> {
  const printed = { out: [] as string[], err: [] as string[] };
  const log = vi.spyOn(console, 'log').mockImplementation((text: string) => void printed.out.push(text));
  const error = vi.spyOn(console, 'error').mockImplementation((text: string) => void printed.err.push(text));
  const before = process.exitCode;
  process.exitCode = 0;
  try {
    await yargs(words)
      .command(command)
      .strict()
      .demandCommand(1)
      .exitProcess(false)
      .fail((message, problem) => {
        throw problem ?? new Error(message);
      })
      .parseAsync();
    return { out: printed.out.join('\n'), err: printed.err.join('\n'), exitCode: Number(process.exitCode) };
  } finally {
    process.exitCode = before;
    log.mockRestore();
    error.mockRestore();
  }
}
