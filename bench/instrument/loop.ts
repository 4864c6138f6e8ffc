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
 * Bodies of loops by their first instruction: all from which a jump back is reached without passing that instruction. What
 * follows a loop may stand in the middle of it. A jump back to where the kernel can get around is no loop: compilers put
 * the parts of masked code in any order.
 */
function loopsOf(code: readonly Instruction[]): Map<number, Set<number>> {
  const before = code.map((): number[] => []);
  const after = code.map((): number[] => []);
  code.forEach(({ target, ends }, at) => {
    const next = [...(target === undefined ? [] : [target]), ...(ends ? [] : [at + 1])];
    for (const place of next.filter((place) => place < code.length)) {
      after[at].push(place);
      before[place].push(at);
    }
  });
  const loops = new Map<number, Set<number>>();
  code.forEach(({ target }, at) => {
    if (target === undefined || target > at) return;
    if (target < at && reach([0], after, [target]).has(at)) return;
    const body = loops.get(target) ?? new Set([target]);
    loops.set(target, reach([at], before, body));
  });
  return loops;
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
