/** Lines of WGSL files, which know where they stand. */
import { OslerError } from '../errors.js';

/** Returns the text of `shaders/<path>`. */
export type ShaderSource = (path: string) => string;

/** A line and its `file:number`. */
export interface Line {
  readonly text: string;
  readonly origin: string;
}

/** A line that starts with `#`. */
export interface Directive {
  readonly word: string;
  /** What follows the word, without a comment. */
  readonly rest: string;
}

/** The lines of `shaders/<path>`. */
export function readLines(path: string, source: ShaderSource): Line[] {
  return source(path)
    .split('\n')
    .map((text, i) => ({ text, origin: `${path}:${i + 1}` }));
}

/** The directive on a line, if it holds one. */
export function directiveOf({ text }: Line): Directive | null {
  const match = /^\s*#(\w+)\s*(.*?)\s*(?:\/\/.*)?$/.exec(text);
  return match && { word: match[1], rest: match[2] };
}

/** The file that an `#include` names. */
export function includedPath(line: Line, rest: string): string {
  const path = /^"([^"]+)"$/.exec(rest)?.[1];
  if (!path) throw fail(line, 'expected #include "folder/file.wgsl"');
  return path;
}

/** The parts of a `#for`. */
export function loopOf(line: Line, rest: string): { name: string; from: string; to: string } {
  const head = /^(\w+)\s+in\s+(.+?)\s*\.\.\s*(.+)$/.exec(rest);
  if (!head) throw fail(line, 'expected #for NAME in FROM..TO');
  const [, name, from, to] = head;
  return { name, from, to };
}

/** Replaces each `${expression}` of a text. */
export function interpolate(text: string, replace: (expression: string) => string): string {
  return text.includes('${') ? text.replace(/\$\{([^}]*)\}/g, (_, inner: string) => replace(inner)) : text;
}

/** An error that names a line of a shader. */
export function fail(line: Pick<Line, 'origin'>, problem: string): OslerError {
  return new OslerError('kernel', `shaders/${line.origin}: ${problem}`);
}
