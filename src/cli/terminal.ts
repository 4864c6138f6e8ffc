/**
 * What commands print. Much of it comes from files and models that nobody trusts: whatever it is, it moves no cursor, changes
 * no colours and turns no letters round.
 */
import { visible } from '../formats/quote.js';
import type { Console } from '../train/progress.js';

/** Prints a line, or several, to standard output. */
export function print(text: string): void {
  console.log(visible(text));
}

/** Prints one JSON document. */
export function printJson(value: unknown): void {
  // What is escaped stands in strings, where the escapes mean the same.
  print(JSON.stringify(value, null, 2));
}

/** Prints what a model says: as it is for a file or another program, safe for a terminal. */
export function printText(text: string): void {
  process.stdout.write(process.stdout.isTTY ? visible(text) : text);
}

/** Prints a line to standard error. */
export function tell(text: string): void {
  console.error(visible(text));
}

/** Shows how far something is, on standard error: on a terminal in a line that the next one replaces, unless it is the last. */
export function showProgress(line: string, last = false): void {
  const { isTTY } = process.stderr;
  process.stderr.write(`${isTTY ? CLEAR : ''}${visible(line)}${isTTY && !last ? '' : '\n'}`);
}

/** Standard error, for what trains. */
export const trainingConsole: Console = {
  live: process.stderr.isTTY === true,
  write: (text) => void process.stderr.write(text),
};

/** Takes away the line that shows progress. */
export function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write(CLEAR);
}

const CLEAR = '\r\x1b[K';
