/**
 * The autograd graph. Each differentiable op that runs while gradients are enabled leaves a node: where its inputs came
 * from, the tensors its backward needs, and the function that computes input gradients from output gradients.
 *
 * Nodes are reference-counted by the live tensors they produced and by the nodes that consume them. A forward pass
 * whose results are dropped without a backward frees everything it saved, without waiting for a garbage collection.
 */
import { check } from '../gpu/index.js';
import { type GradLink, type Shape, sameShape, showShape, type Tensor } from '../tensor/index.js';

/** Returned by a backward function for an input whose gradient it added to `accumulator` by itself. */
export const ACCUMULATED = Symbol('accumulated');

/** What a backward function gives for each input. */
export type InputGradient = Tensor | null | typeof ACCUMULATED;

/** What a backward function may ask about its inputs. */
export interface BackwardContext {
  /** Whether input `i` needs a gradient; frozen inputs should cost nothing. */
  readonly needs: readonly boolean[];
  /** The existing gradient of leaf input `i`, to add into in place (then return ACCUMULATED); null if there is none. */
  accumulator(i: number): Tensor | null;
}

/**
 * Computes input gradients. `grads` has one entry per output (null where nothing flowed back), `saved` are the tensors
 * that the op saved. Everything it makes and does not return is freed.
 */
export type BackwardFunction = (
  grads: readonly (Tensor | null)[],
  saved: readonly Tensor[],
  context: BackwardContext,
) => readonly InputGradient[];

/** Where a gradient goes: to an earlier node's output, or to a leaf. */
export type Edge = { readonly node: GradNode; readonly index: number } | { readonly leaf: Tensor };

interface Saved {
  readonly tensor: Tensor;
  readonly version: number;
}

let sequence = 0;
/** How many `noGrad` bodies are running. */
let pauses = 0;
/** Whether an op that was not recorded would have been, but for `noGrad`. */
let sawTracked = false;
/** Leaves that ops used in the body of a {@link withoutRecording}. */
let sawLeaves: Set<Tensor> | null = null;

/** One recorded op. */
export class GradNode implements GradLink {
  readonly name: string;
  readonly order = sequence++;
  readonly edges: readonly (Edge | null)[];
  /** Shapes of the inputs, to check the gradients against. */
  readonly inputShapes: readonly Shape[];
  readonly outputCount: number;
  readonly #backward: BackwardFunction;
  #saved: Saved[] | null;
  #references: number;

  /** Takes handles on what the op saved; the caller links the outputs. */
  constructor(op: OpRecord) {
    this.name = op.name;
    this.edges = op.inputs.map(edgeOf);
    this.inputShapes = op.inputs.map((t) => t.shape);
    this.outputCount = op.outputs.length;
    this.#references = op.outputs.length;
    this.#backward = op.backward;
    this.#saved = op.saved.map((t) => ({ tensor: t.alias().keep(), version: t.storage.buffer.version }));
    for (const edge of this.edges) {
      if (!edge) continue;
      if ('node' in edge) edge.node.#references++;
      else edge.leaf.storage.uses++;
    }
  }

  /** Keeps what was saved until the matching `dropped`. */
  hold(): void {
    this.#references++;
  }

  /** A tensor that this node produced was disposed, or a consumer let go. */
  dropped(): void {
    if (--this.#references === 0) this.release();
  }

  /** Frees what was saved and lets go of earlier nodes. */
  release(): void {
    if (!this.#saved) return;
    for (const { tensor } of this.#saved) tensor.dispose();
    this.#saved = null;
    for (const edge of this.edges) {
      if (!edge) continue;
      if ('node' in edge) edge.node.dropped();
      else doneWith(edge.leaf);
    }
  }

  /** Runs the backward function. */
  run(grads: readonly (Tensor | null)[], context: BackwardContext): readonly InputGradient[] {
    const saved = this.#saved;
    check(saved, 'autograd', () => {
      return `the graph of ${this.name} was already freed; call backward once per forward pass, or pass retainGraph`;
    });
    for (const { tensor, version } of saved) {
      check(tensor.storage.buffer.version === version, 'autograd', () => {
        return `${this.name} saved a tensor ${tensor.describe()} for its backward, and it was changed in place since`;
      });
    }
    const result = this.#backward(
      grads,
      saved.map((s) => s.tensor),
      context,
    );
    check(result.length === this.edges.length, 'autograd', () => {
      return `${this.name}: backward returned ${result.length} gradients for ${this.edges.length} inputs`;
    });
    result.forEach((g, i) => {
      if (g === null || g === ACCUMULATED) return;
      check(sameShape(g.shape, this.inputShapes[i]), 'autograd', () => {
        return `${this.name}: backward gave a gradient of shape ${showShape(g.shape)} for an input of shape ${showShape(this.inputShapes[i])}`;
      });
    });
    return result;
  }
}

/** An op that used a leaf is gone. Leaves may share memory, which only changes when no op needs it any more. */
function doneWith(leaf: Tensor): void {
  const { storage } = leaf;
  storage.used.add(leaf);
  if (--storage.uses > 0) return;
  // In the order of their places, however they came to be used last.
  const leaves = [...storage.used].sort((a, b) => a.offset - b.offset);
  storage.used.clear();
  for (const used of leaves) if (used.grad) used.onGradient?.();
}

/** What `differentiable` needs to know of an op that just ran. */
export interface OpRecord {
  readonly name: string;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  /** Tensors for the backward; those that are neither inputs nor outputs belong to the op and are freed with it. */
  readonly saved: readonly Tensor[];
  readonly backward: BackwardFunction;
  /** Record although no input is tracked (the op reaches trainable leaves by other ways). */
  readonly force?: boolean;
}

/** Links an op's outputs into the graph, if gradients are enabled and some input needs one. */
export function differentiable(op: OpRecord): void {
  const tracked = op.force || op.inputs.some((t) => t.tracked);
  sawTracked ||= tracked;
  if (sawLeaves) for (const t of op.inputs) if (t.requiresGrad) sawLeaves.add(t);
  if (tracked && pauses === 0) {
    const node = new GradNode(op);
    op.outputs.forEach((output, i) => {
      check(!output.link, 'autograd', () => `${op.name}: an output is already part of the graph`);
      output.link = node;
      output.linkIndex = i;
    });
  }
  for (const t of op.saved) if (!op.inputs.includes(t) && !op.outputs.includes(t)) t.dispose();
}

/** The edge that leads from a tensor to where its gradient goes. */
export function edgeOf(tensor: Tensor): Edge | null {
  if (tensor.link instanceof GradNode) return { node: tensor.link, index: tensor.linkIndex };
  return tensor.requiresGrad ? { leaf: tensor } : null;
}

/** True while ops are recorded. */
export function gradEnabled(): boolean {
  return pauses === 0;
}

/** Runs `body` without recording. While an async body runs, nothing else is recorded either. */
export function noGrad<T>(body: () => T): T {
  pauses++;
  let result: T;
  try {
    result = body();
  } catch (error) {
    pauses--;
    throw error;
  }
  if (result instanceof Promise) {
    return result.finally(() => {
      pauses--;
    }) as T;
  }
  pauses--;
  return result;
}

/** Runs a synchronous `body` with recording on, also inside `noGrad`. */
export function withGrad<T>(body: () => T): T {
  const before = pauses;
  pauses = 0;
  try {
    return body();
  } finally {
    pauses = before;
  }
}

/** Tells {@link withoutRecording} of ops that were not run again. */
export function sawTrainable(trainable: boolean, leaves: readonly Tensor[]): void {
  sawTracked ||= trainable;
  for (const leaf of leaves) sawLeaves?.add(leaf);
}

/** What {@link withoutRecording} saw. */
export interface Unrecorded<T> {
  readonly result: T;
  /** Whether any op had an input that needs a gradient. */
  readonly trainable: boolean;
  /** Leaves among these inputs. */
  readonly leaves: readonly Tensor[];
}

/** Runs a synchronous `body` without recording, and tells what would have been recorded. */
export function withoutRecording<T>(body: () => T): Unrecorded<T> {
  const [tracked, leaves] = [sawTracked, sawLeaves];
  const own = new Set<Tensor>();
  sawTracked = false;
  sawLeaves = own;
  try {
    const result = noGrad(body);
    return { result, trainable: sawTracked, leaves: [...own] };
  } finally {
    sawTracked ||= tracked;
    sawLeaves = leaves;
    for (const leaf of own) leaves?.add(leaf);
  }
}
