/**
 * The one mechanism by which WGSL files share and specialise text, beyond WGSL's own `override` constants:
 *
 *     #include "common/dtype.wgsl"     paste a file of shaders/ here, once per module
 *     #if BF16 && TILE > 4 / #elif / #else / #endif
 *     #for i in 0..ROWS / #endfor      repeat the lines between; ${i} and ${i * 4 + 1} become numbers
 *     #params Params                   declare `params: Params`, as immediates or as a uniform, whichever the device has
 *
 * Names are the launch's `defines` (numbers and booleans); an unknown name is 0 in `#if` and an error in `${}` and `#for`.
 * `#for` exists because arrays indexed by a loop variable do not reliably stay in registers on every driver.
 */
import { OslerError } from './errors.js';

/** Values that WGSL directives can see. */
export type Defines = Readonly<Record<string, number | boolean>>;

/** Returns the text of `shaders/<path>`. */
export type ShaderSource = (path: string) => string;

/** How `#params` declares the launch parameters. */
export type ParamsMode = 'immediate' | 'uniform';

interface Line {
  readonly text: string;
  readonly origin: string;
}

/** Specialised WGSL, with the file and line that each output line came from. */
export interface Specialised {
  readonly code: string;
  readonly origins: readonly string[];
}

/** Expands the directives of `shaders/<path>`. */
export function specialise(
  path: string,
  source: ShaderSource,
  defines: Defines,
  paramsMode: ParamsMode,
): Specialised {
  const out: Line[] = [];
  const included = new Set<string>([path]);
  const vars = new Map<string, number>();
  for (const [name, value] of Object.entries(defines)) vars.set(name, Number(value));
  expand(readLines(path, source), vars, { source, included, paramsMode, out });
  return { code: out.map((line) => line.text).join('\n'), origins: out.map((line) => line.origin) };
}

interface Context {
  readonly source: ShaderSource;
  readonly included: Set<string>;
  readonly paramsMode: ParamsMode;
  readonly out: Line[];
}

function readLines(path: string, source: ShaderSource): Line[] {
  return source(path)
    .split('\n')
    .map((text, i) => ({ text, origin: `${path}:${i + 1}` }));
}

function expand(lines: readonly Line[], vars: Map<string, number>, ctx: Context): void {
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i];
    const directive = /^\s*#(\w+)\s*(.*?)\s*(?:\/\/.*)?$/.exec(line.text);
    if (!directive) {
      ctx.out.push({ text: interpolate(line, vars), origin: line.origin });
      continue;
    }
    const [, word, rest] = directive;
    if (word === 'include') include(rest, line, vars, ctx);
    else if (word === 'params')
      ctx.out.push({ text: declareParams(rest, ctx.paramsMode), origin: line.origin });
    else if (word === 'if') i = expandIf(lines, i, vars, ctx);
    else if (word === 'for') i = expandFor(lines, i, vars, ctx);
    else throw fail(line, `unknown or unmatched directive #${word}`);
  }
}

function include(rest: string, line: Line, vars: Map<string, number>, ctx: Context): void {
  const path = /^"([^"]+)"$/.exec(rest)?.[1];
  if (!path) throw fail(line, 'expected #include "folder/file.wgsl"');
  if (ctx.included.has(path)) return;
  ctx.included.add(path);
  expand(readLines(path, ctx.source), vars, ctx);
}

function declareParams(type: string, mode: ParamsMode): string {
  return mode === 'immediate'
    ? `var<immediate> params: ${type};`
    : `@group(1) @binding(0) var<uniform> params: ${type};`;
}

/** Finds the `#end` that closes the block opened at `start`, and the branch lines at its own depth. */
function findBlock(
  lines: readonly Line[],
  start: number,
  open: string,
  close: string,
): { end: number; marks: number[] } {
  const marks: number[] = [];
  let depth = 0;
  for (let i = start; i < lines.length; i++) {
    const word = /^\s*#(\w+)/.exec(lines[i].text)?.[1];
    if (word === open) depth++;
    else if (word === close && --depth === 0) return { end: i, marks };
    else if (depth === 1 && (word === 'elif' || word === 'else')) marks.push(i);
  }
  throw fail(lines[start], `#${open} without #${close}`);
}

function expandIf(lines: readonly Line[], start: number, vars: Map<string, number>, ctx: Context): number {
  const { end, marks } = findBlock(lines, start, 'if', 'endif');
  const bounds = [start, ...marks, end];
  for (let b = 0; b + 1 < bounds.length; b++) {
    const line = lines[bounds[b]];
    const condition = /^\s*#(?:if|elif)\s+(.*?)\s*(?:\/\/.*)?$/.exec(line.text)?.[1];
    if (condition === undefined || evaluate(condition, vars, line, false) !== 0) {
      expand(lines.slice(bounds[b] + 1, bounds[b + 1]), vars, ctx);
      break;
    }
  }
  return end;
}

function expandFor(lines: readonly Line[], start: number, vars: Map<string, number>, ctx: Context): number {
  const { end } = findBlock(lines, start, 'for', 'endfor');
  const head = /^\s*#for\s+(\w+)\s+in\s+(.+?)\s*\.\.\s*(.+?)\s*(?:\/\/.*)?$/.exec(lines[start].text);
  if (!head) throw fail(lines[start], 'expected #for NAME in FROM..TO');
  const [, name, from, to] = head;
  const last = evaluate(to, vars, lines[start], true);
  for (let value = evaluate(from, vars, lines[start], true); value < last; value++) {
    expand(lines.slice(start + 1, end), new Map(vars).set(name, value), ctx);
  }
  return end;
}

function interpolate(line: Line, vars: Map<string, number>): string {
  if (!line.text.includes('${')) return line.text;
  return line.text.replace(/\$\{([^}]*)\}/g, (_, expression: string) =>
    String(evaluate(expression, vars, line, true)),
  );
}

const BINARY: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['==', '!='],
  ['<=', '>=', '<', '>'],
  ['+', '-'],
  ['*', '/', '%'],
];

/** Integer expressions over the defines: || && == != < <= > >= + - * / % ! and parentheses. */
function evaluate(text: string, vars: Map<string, number>, line: Line, strict: boolean): number {
  const tokens = text.match(/\d+|\w+|\|\||&&|[=!<>]=|[<>+\-*/%!()]/g) ?? [];
  let at = 0;
  const unary = (): number => {
    const token = tokens[at++];
    if (token === undefined) throw fail(line, `incomplete expression "${text}"`);
    if (token === '!') return unary() === 0 ? 1 : 0;
    if (token === '-') return -unary();
    if (token === '(') {
      const value = binary(0);
      if (tokens[at++] !== ')') throw fail(line, `missing ) in "${text}"`);
      return value;
    }
    if (/^\d+$/.test(token)) return Number(token);
    const value = vars.get(token);
    if (value === undefined && strict) throw fail(line, `${token} is not defined`);
    return value ?? 0;
  };
  const binary = (level: number): number => {
    if (level === BINARY.length) return unary();
    let left = binary(level + 1);
    while (BINARY[level].includes(tokens[at])) left = apply(tokens[at++], left, binary(level + 1));
    return left;
  };
  const value = binary(0);
  if (at !== tokens.length) throw fail(line, `cannot read "${text}"`);
  return value;
}

function apply(op: string, a: number, b: number): number {
  switch (op) {
    case '||':
      return a || b ? 1 : 0;
    case '&&':
      return a && b ? 1 : 0;
    case '==':
      return a === b ? 1 : 0;
    case '!=':
      return a !== b ? 1 : 0;
    case '<':
      return a < b ? 1 : 0;
    case '<=':
      return a <= b ? 1 : 0;
    case '>':
      return a > b ? 1 : 0;
    case '>=':
      return a >= b ? 1 : 0;
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return Math.trunc(a / b);
    default:
      return a % b;
  }
}

function fail(line: Line, problem: string): OslerError {
  return new OslerError('kernel', `shaders/${line.origin}: ${problem}`);
}
