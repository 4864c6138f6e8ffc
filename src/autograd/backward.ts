/** Running the graph backwards. */
import { check } from '../gpu/index.js';
import { axpy, copyOf, full } from '../kernels/elementwise.js';
import { scope, showShape, Tensor } from '../tensor/index.js';
import { ACCUMULATED, type Edge, edgeOf, type GradNode, noGrad } from './graph.js';

/** Options of {@link backward}. */
export interface BackwardOptions {
  /** Gradient of the objective with respect to `output`; may be omitted for a single element (then it is 1). */
  readonly gradient?: Tensor;
  /** Keep what was saved, so that another backward through the same graph is possible. */
  readonly retainGraph?: boolean;
}

/** Gradients that an enclosing `gradients()` call collects instead of `.grad`; the innermost comes last. */
const sinks: Map<Tensor, Tensor | null>[] = [];

function sinkOf(leaf: Tensor): Map<Tensor, Tensor | null> | undefined {
  return sinks.findLast((sink) => sink.has(leaf));
}

/** Whether gradients of leaves may go elsewhere than to them. */
export function collects(): boolean {
  return sinks.length > 0;
}

/** Adds the gradient of `output` to `.grad` of every leaf that requires it. */
export function backward(output: Tensor, options: BackwardOptions = {}): void {
  output.assertUsable();
  const start = edgeOf(output);
  check(start, 'autograd', () => {
    return `backward: tensor ${output.describe()} does not depend on any tensor that requires gradients (second derivatives are not supported)`;
  });
  noGrad(() => run(start, seed(output, options.gradient), options.retainGraph ?? false));
}

/** The gradients of `output` with respect to `inputs`, leaving `.grad` of these inputs alone. */
export function gradients(
  output: Tensor,
  inputs: readonly Tensor[],
  options: BackwardOptions = {},
): Tensor[] {
  const found = gradientsIfAny(output, inputs, options);
  return inputs.map((t) => {
    const gradient = found.get(t);
    check(gradient, 'autograd', () => `gradients: input ${t.describe()} does not influence the output`);
    return gradient;
  });
}

/** Like {@link gradients}, with null for inputs that do not influence the output. */
export function gradientsIfAny(
  output: Tensor,
  inputs: readonly Tensor[],
  options: BackwardOptions = {},
): ReadonlyMap<Tensor, Tensor | null> {
  const sink = new Map<Tensor, Tensor | null>(inputs.map((t) => [t, null]));
  sinks.push(sink);
  try {
    backward(output, options);
  } finally {
    sinks.splice(sinks.lastIndexOf(sink), 1);
  }
  return sink;
}

function seed(output: Tensor, gradient: Tensor | undefined): Tensor {
  if (gradient) {
    check(gradient.shape.join() === output.shape.join(), 'shape', () => {
      return `backward: gradient of shape ${showShape(gradient.shape)} for an output of shape ${showShape(output.shape)}`;
    });
    return gradient.alias().keep();
  }
  check(output.size === 1, 'shape', () => {
    return `backward: output has shape ${showShape(output.shape)}; reduce it to one element or pass a gradient`;
  });
  return full(output.gpu, output.shape, 1).keep();
}

/** Visits nodes from last recorded to first; that order respects every dependency. */
function run(start: Edge, gradient: Tensor, retain: boolean): void {
  const pending = new Map<GradNode, (Tensor | null)[]>();
  const queue: GradNode[] = [];
  const deliver = (edge: Edge, g: Tensor) => {
    if ('leaf' in edge) return deliverToLeaf(edge.leaf, g);
    let slots = pending.get(edge.node);
    if (!slots) {
      slots = new Array<Tensor | null>(edge.node.outputCount).fill(null);
      pending.set(edge.node, slots);
      edge.node.hold();
      insertByOrder(queue, edge.node);
    }
    slots[edge.index] = merge(slots[edge.index], g);
  };
  try {
    deliver(start, gradient);
    for (let node = queue.pop(); node; node = queue.pop()) {
      const slots = pending.get(node) as (Tensor | null)[];
      try {
        visit(node, slots, deliver);
      } finally {
        finish(node, slots);
      }
      if (!retain) node.release();
      node.dropped();
    }
  } finally {
    // Only after an error is anything left here.
    for (const [node, slots] of pending) {
      finish(node, slots);
      node.dropped();
    }
  }

  function finish(node: GradNode, slots: readonly (Tensor | null)[]): void {
    pending.delete(node);
    for (const slot of slots) slot?.dispose();
  }
}

function visit(node: GradNode, slots: (Tensor | null)[], deliver: (edge: Edge, g: Tensor) => void): void {
  const results = scope(() => [
    ...node.run(slots, {
      needs: node.edges.map((edge) => edge !== null),
      accumulator: (i) => {
        const edge = node.edges[i];
        return edge && 'leaf' in edge && !sinkOf(edge.leaf) ? edge.leaf.grad : null;
      },
    }),
  ]);
  node.edges.forEach((edge, i) => {
    const result = results[i];
    if (result === null || result === ACCUMULATED) return;
    // The same tensor may be returned for several inputs, or be the incoming gradient itself: each gets its own handle.
    if (edge) deliver(edge, result.alias().keep());
  });
  for (const result of new Set(results)) {
    if (result instanceof Tensor && !slots.includes(result)) result.dispose();
  }
}

function insertByOrder(queue: GradNode[], node: GradNode): void {
  let at = queue.length;
  while (at > 0 && queue[at - 1].order > node.order) at--;
  queue.splice(at, 0, node);
}

/** Sums two gradients, in place when nobody else can see the first. */
function merge(a: Tensor | null, b: Tensor): Tensor {
  if (!a) return b;
  let sum = a;
  if (a.storage.handles === 1) axpy(a, b, 1);
  else {
    sum = copyOf(a).keep();
    axpy(sum, b, 1);
    a.dispose();
  }
  b.dispose();
  return sum;
}

function deliverToLeaf(leaf: Tensor, gradient: Tensor): void {
  leaf.assertUsable();
  const sink = sinkOf(leaf);
  if (sink) {
    sink.set(leaf, merge(sink.get(leaf) ?? null, gradient));
    return;
  }
  if (leaf.grad) {
    axpy(leaf.grad, gradient, 1);
    gradient.dispose();
    return;
  }
  const own = gradient.storage.handles === 1 ? gradient : copyOf(gradient).keep();
  if (own !== gradient) gradient.dispose();
  leaf.gpu.relabel(own.storage.buffer, 'gradients');
  leaf.grad = own;
}
