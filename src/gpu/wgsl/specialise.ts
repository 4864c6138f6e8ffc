/**
 * The one mechanism by which WGSL files share and specialise text, beyond WGSL's own `override` constants:
 *
 *     #define TILE 4 | 8   // why      a name that a launch gives a value (defines.ts)
 *     #include "common/dtype.wgsl"     paste a file of shaders/ here, once per module
 *     #if LOG && TILE > 4 / #elif FORMAT == "bf16" / #else / #endif
 *     #for i in 0..TILE / #endfor      repeat the lines between; ${i} and ${i * 4 + 1} become numbers
 *     #params Params                   declare `params: Params`, as immediates or as a uniform, whichever the device has
 *     var<storage, read> x: array<f32>;    takes the next binding of group 0, in the order of the text
 *     enable f16;                      moves to the top of the module, as do requires and diagnostic
 *
 * `#for` exists because arrays indexed by a loop variable do not reliably stay in registers on every driver.
 */
import { type Defines, declarations, valuesOf } from './defines.js';
import { evaluate, parse, type Value } from './expression.js';
import {
  type Directive,
  directiveOf,
  fail,
  includedPath,
  interpolate,
  type Line,
  loopOf,
  readLines,
  type ShaderSource,
} from './source.js';

/** How `#params` declares the launch parameters. */
export type ParamsMode = 'immediate' | 'uniform';

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
  const values = valuesOf(path, declarations(path, source), defines);
  const ctx: Context = { source, paramsMode, included: new Set([path]), head: [], body: [], bindings: 0 };
  expand(readLines(path, source), values, ctx);
  const lines = [...ctx.head, ...ctx.body];
  return { code: lines.map((line) => line.text).join('\n'), origins: lines.map((line) => line.origin) };
}

interface Context {
  readonly source: ShaderSource;
  readonly paramsMode: ParamsMode;
  readonly included: Set<string>;
  /** What must come before all declarations. */
  readonly head: Line[];
  readonly body: Line[];
  bindings: number;
}

type Values = ReadonlyMap<string, Value>;

function expand(lines: readonly Line[], values: Values, ctx: Context): void {
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i];
    const directive = directiveOf(line);
    if (!directive) emit(line, values, ctx);
    else if (directive.word === 'include') include(line, directive, values, ctx);
    else if (directive.word === 'params')
      ctx.body.push({ text: declareParams(directive.rest, ctx.paramsMode), origin: line.origin });
    else if (directive.word === 'if') i = expandIf(lines, i, values, ctx);
    else if (directive.word === 'for') i = expandFor(lines, i, values, ctx);
    else if (directive.word !== 'define')
      throw fail(line, `unknown or unmatched directive #${directive.word}`);
  }
}

function emit(line: Line, values: Values, ctx: Context): void {
  const { origin } = line;
  const text = interpolate(line.text, (inner) => String(evaluate(parse(inner, line), values, line)));
  if (text.includes('@binding'))
    throw fail(line, 'leave @group and @binding out: bindings are numbered in the order of the text');
  if (/^\s*(enable|requires|diagnostic)\b/.test(text)) ctx.head.push({ text, origin });
  else if (/^\s*var<storage\b/.test(text))
    ctx.body.push({ text: `@group(0) @binding(${ctx.bindings++}) ${text.trim()}`, origin });
  else ctx.body.push({ text, origin });
}

function include(line: Line, { rest }: Directive, values: Values, ctx: Context): void {
  const path = includedPath(line, rest);
  if (ctx.included.has(path)) return;
  ctx.included.add(path);
  expand(readLines(path, ctx.source), values, ctx);
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
    const word = directiveOf(lines[i])?.word;
    if (word === open) depth++;
    else if (word === close && --depth === 0) return { end: i, marks };
    else if (depth === 1 && (word === 'elif' || word === 'else')) marks.push(i);
  }
  throw fail(lines[start], `#${open} without #${close}`);
}

function expandIf(lines: readonly Line[], start: number, values: Values, ctx: Context): number {
  const { end, marks } = findBlock(lines, start, 'if', 'endif');
  const bounds = [start, ...marks, end];
  for (let b = 0; b + 1 < bounds.length; b++) {
    const line = lines[bounds[b]];
    const { word, rest } = directiveOf(line) as Directive;
    if (word === 'else' || evaluate(parse(rest, line), values, line) !== 0) {
      expand(lines.slice(bounds[b] + 1, bounds[b + 1]), values, ctx);
      break;
    }
  }
  return end;
}

function expandFor(lines: readonly Line[], start: number, values: Values, ctx: Context): number {
  const line = lines[start];
  const { end } = findBlock(lines, start, 'for', 'endfor');
  const { name, from, to } = loopOf(line, (directiveOf(line) as Directive).rest);
  const bound = (text: string) => Number(evaluate(parse(text, line), values, line));
  const last = bound(to);
  for (let value = bound(from); value < last; value++) {
    expand(lines.slice(start + 1, end), new Map(values).set(name, value), ctx);
  }
  return end;
}
