/** Finds the loop of a compiled kernel that does the work, and counts what is in it. */

/** What an instruction does, as far as it matters for speed; `control` (branches, waits) is not counted. */
export type Kind = 'matrix' | 'float' | 'alu' | 'lds' | 'memory' | 'barrier' | 'control';

/** Instructions by kind. */
export type Mix = Readonly<Record<Exclude<Kind, 'control'>, number>>;

/** One instruction. */
export interface Instruction {
  readonly kind: Kind;
  /** For a jump: the place of the instruction that it goes to. */
  readonly target?: number;
  /** Control never goes on to the next instruction. */
  readonly ends?: boolean;
  /** Times that it is issued in a row; 1 by default. */
  readonly repeat?: number;
}

/**
 * Of the loops, without what is in loops inside of them, the one with the most matrix instructions, else the most arithmetic
 * on floats, else the most of all. A kernel without loops counts as a whole.
 */
export function mainLoop(code: readonly Instruction[]): Mix {
  const loops = [...loopsOf(code)];
  const mixes = loops.map(([head, body]) => {
    const inner = loops.filter(([other]) => other !== head && body.has(other));
    return mixOf(code.filter((_, at) => body.has(at) && !inner.some(([, within]) => within.has(at))));
  });
  const total = (mix: Mix) => Object.values(mix).reduce((a, b) => a + b, 0);
  mixes.sort((a, b) => b.matrix - a.matrix || b.float - a.float || total(b) - total(a));
  return mixes[0] ?? mixOf(code);
}

/**
 * Bodies of loops by the instruction through which they are entered: all from which a jump back is reached without passing that
 * instruction. Compilers put parts of a loop in any order, in front of the entry too: what counts is the way that control
 * takes, and a jump back to where the kernel can get around is no loop.
 */
function loopsOf(code: readonly Instruction[]): Map<number, Set<number>> {
  const before = code.map((): number[] => []);
  const after = code.map(({ target, ends }, at) => {
    const next = [...(target === undefined ? [] : [target]), ...(ends ? [] : [at + 1])];
    return next.filter((place) => place < code.length);
  });
  for (const [at, next] of after.entries()) for (const place of next) before[place].push(at);
  const loops = new Map<number, Set<number>>();
  for (const [at, head] of returns(after)) {
    if (at !== head && reach([0], after, [head]).has(at)) continue;
    loops.set(head, reach([at], before, loops.get(head) ?? new Set([head])));
  }
  return loops;
}

/** Steps to an instruction that led there. */
function returns(after: readonly (readonly number[])[]): [from: number, to: number][] {
  const found: [number, number][] = [];
  const state = after.map((): 'new' | 'open' | 'done' => 'new');
  const path: { at: number; next: number }[] = [];
  const enter = (at: number) => {
    state[at] = 'open';
    path.push({ at, next: 0 });
  };
  if (after.length > 0) enter(0);
  for (let top = path.at(-1); top; top = path.at(-1)) {
    const to = after[top.at][top.next++];
    if (to === undefined) {
      state[top.at] = 'done';
      path.pop();
    } else if (state[to] === 'new') enter(to);
    else if (state[to] === 'open') found.push([top.at, to]);
  }
  return found;
}

/** `passed`, and all that is reached from `start` without passing it. */
function reach(start: readonly number[], next: readonly number[][], passed: Iterable<number>): Set<number> {
  const found = new Set(passed);
  const open = [...start];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (found.has(at)) continue;
    found.add(at);
    open.push(...next[at]);
  }
  return found;
}

function mixOf(code: readonly Instruction[]): Mix {
  const mix = { matrix: 0, float: 0, alu: 0, lds: 0, memory: 0, barrier: 0 };
  for (const { kind, repeat = 1 } of code) if (kind !== 'control') mix[kind] += repeat;
  return mix;
}

/** An instruction that jumps to a label, before labels have places. */
export interface Labelled extends Omit<Instruction, 'target'> {
  readonly to?: string;
}

/** Replaces labels by places; a label that is nowhere ends the kernel. */
export function resolve(code: readonly Labelled[], labels: ReadonlyMap<string, number>): Instruction[] {
  return code.map(({ to, ...rest }) => {
    const target = to === undefined ? undefined : labels.get(to);
    return target === undefined ? rest : { ...rest, target };
  });
}

/** The kind that the first matching pattern has. */
export function kindBy(table: readonly (readonly [Kind, RegExp])[], name: string): Kind {
  return table.find(([, pattern]) => pattern.test(name))?.[0] ?? 'alu';
}
