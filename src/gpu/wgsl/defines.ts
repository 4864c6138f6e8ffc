/**
 * What a shader may be specialised by. Each file declares the names that its directives use, or includes a file that does:
 *
 *     #define LOG                        // log-softmax                      on or off; off unless given
 *     #define ROWS 1..16                 // rows of A                        a range; `1..` has no end
 *     #define WIDTH 1 | 4 | 8            // elements per load                some numbers
 *     #define FORMAT "f32" | "bf16"      // how the weight is stored         some words
 *
 * A name that is not declared is an error, in a directive (in branches not taken too) as in a launch.
 */
import { OslerError } from '../errors.js';
import { type Expression, parse, type Value } from './expression.js';
import {
  directiveOf,
  fail,
  includedPath,
  interpolate,
  type Line,
  loopOf,
  readLines,
  type ShaderSource,
} from './source.js';

/** Values that a launch gives to names. */
export type Defines = Readonly<Record<string, number | string | boolean>>;

/** A `#define` line. */
export interface Declaration {
  readonly name: string;
  readonly origin: string;
  /** The values as declared; empty for on or off. */
  readonly values: string;
  /** The words among the values. */
  readonly words: readonly string[];
  accepts(value: Value): boolean;
}

/** Declarations by name. */
export type Declarations = ReadonlyMap<string, Declaration>;

/** What `shaders/<path>` and the files that it includes declare; throws where one of them uses a name that it cannot see. */
export function declarations(path: string, source: ShaderSource): Declarations {
  const seen = new Map<string, Declarations>();
  const visit = (file: string): Declarations => {
    const known = seen.get(file);
    if (known) return known;
    const own = new Map<string, Declaration>();
    seen.set(file, own);
    const lines = readLines(file, source);
    for (const line of lines) {
      const directive = directiveOf(line);
      if (directive?.word === 'define') add(own, declaration(line));
      if (directive?.word !== 'include') continue;
      for (const inner of visit(includedPath(line, directive.rest)).values()) add(own, inner);
    }
    checkNames(lines, own);
    return own;
  };
  return visit(path);
}

function add(to: Map<string, Declaration>, declared: Declaration): void {
  const other = to.get(declared.name);
  if (other && other.values !== declared.values) {
    throw fail(declared, `${declared.name} has other values at shaders/${other.origin}`);
  }
  if (!other) to.set(declared.name, declared);
}

function declaration(line: Line): Declaration {
  const match = /^\s*#define\s+([A-Z][A-Z0-9_]*)\s*([^/]*?)\s*\/\/\s*\S/.exec(line.text);
  if (!match)
    throw fail(
      line,
      'expected #define NAME VALUES // what it means, VALUES being such as 1..16, 1 | 4 or "f32" | "f16"',
    );
  const [, name, values] = match;
  const words: string[] = [];
  const ranges: (readonly [number, number])[] = values === '' ? [[0, 1]] : [];
  for (const item of values === '' ? [] : values.split('|').map((text) => text.trim())) {
    const [, word, first, range, last] = /^(?:"([^"]+)"|(\d+)(\.\.)?(\d+)?)$/.exec(item) ?? [];
    if (word === undefined && first === undefined)
      throw fail(line, `cannot read the values ${values} of ${name}`);
    if (word !== undefined) words.push(word);
    else ranges.push([Number(first), range ? Number(last ?? Number.POSITIVE_INFINITY) : Number(first)]);
  }
  const accepts = (value: Value) =>
    typeof value === 'string'
      ? words.includes(value)
      : Number.isInteger(value) && ranges.some(([least, most]) => value >= least && value <= most);
  return { name, origin: line.origin, values, words, accepts };
}

/** Checks every name in the directives of a file, whether or not a launch would reach them. */
function checkNames(lines: readonly Line[], known: Declarations): void {
  const loops: string[] = [];
  for (const line of lines) {
    const directive = directiveOf(line);
    if (directive?.word === 'if' || directive?.word === 'elif')
      checkExpression(directive.rest, line, known, loops);
    else if (directive?.word === 'for') {
      const { name, from, to } = loopOf(line, directive.rest);
      for (const bound of [from, to]) checkExpression(bound, line, known, loops);
      loops.push(name);
    } else if (directive?.word === 'endfor') loops.pop();
    else if (!directive) {
      interpolate(line.text, (inner) => {
        checkExpression(inner, line, known, loops);
        return '';
      });
    }
  }
}

function checkExpression(text: string, line: Line, known: Declarations, loops: readonly string[]): void {
  const visit = (e: Expression): void => {
    if (e.kind === 'unary') visit(e.of);
    if (e.kind === 'value' && typeof e.value === 'string')
      throw fail(line, `"${e.value}" is compared with nothing`);
    if (e.kind === 'name' && !loops.includes(e.name)) {
      const declared = lookUp(e.name, line, known);
      if (declared.words.length > 0)
        throw fail(line, `${e.name} is a word; compare it with == "${declared.words[0]}"`);
    }
    if (e.kind !== 'binary') return;
    const comparison = wordComparison(e);
    if (!comparison) {
      visit(e.left);
      visit(e.right);
      return;
    }
    const { values, words } = lookUp(comparison.name, line, known);
    if (!words.includes(comparison.word)) {
      throw fail(
        line,
        `${comparison.name} is never "${comparison.word}"; it may be ${values || 'on or off'}`,
      );
    }
  };
  visit(parse(text, line));
}

function wordComparison(e: Expression & { kind: 'binary' }): { name: string; word: string } | null {
  const { op, left, right } = e;
  if (op !== '==' && op !== '!=') return null;
  if (left.kind !== 'name' || right.kind !== 'value' || typeof right.value !== 'string') return null;
  return { name: left.name, word: right.value };
}

function lookUp(name: string, line: Line, known: Declarations): Declaration {
  const declared = known.get(name);
  if (!declared) {
    throw fail(line, `${name} is not declared; this file and its includes declare ${listed(known)}`);
  }
  return declared;
}

function listed(known: Declarations): string {
  return known.size > 0 ? [...known.keys()].sort().join(', ') : 'no names';
}

/** The values of all declared names, of those that a launch gives and of those that are off unless given. */
export function valuesOf(path: string, known: Declarations, given: Defines): Map<string, Value> {
  for (const name in given) {
    if (known.has(name)) continue;
    throw new OslerError(
      'kernel',
      `shaders/${path} does not declare ${name}, which a launch gives; it declares ${listed(known)}`,
    );
  }
  const values = new Map<string, Value>();
  for (const declared of known.values()) {
    const { name, values: allowed } = declared;
    const raw = given[name] ?? (allowed === '' ? false : undefined);
    const may = `it may be ${allowed || 'on or off'}`;
    if (raw === undefined) throw fail(declared, `${name} was not given; ${may}`);
    const value = typeof raw === 'boolean' ? Number(raw) : raw;
    if (!declared.accepts(value)) throw fail(declared, `${name} is ${JSON.stringify(raw)}; ${may}`);
    values.set(name, value);
  }
  return values;
}
