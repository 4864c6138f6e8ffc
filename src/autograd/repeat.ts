/**
 * Layers that are alike run alike: after two of them have launched the same, further ones are done by what these launched,
 * with tensors of their own. What a layer is made of is looked at, not trusted: all tensors, numbers and functions in it.
 */
import type { Template } from '../gpu/index.js';
import { Storage, Tensor } from '../tensor/index.js';

/** What a run gives. */
export interface Outcome {
  /** Everything that it made and that outlives it. */
  readonly tensors: readonly (Tensor | null)[];
  /** Whether anything in it trains. */
  readonly trainable: boolean;
  /** What trains among its parts and inputs. */
  readonly leaves: readonly Tensor[];
}

/** Runs that are alike. */
interface Kind {
  /** Everything but tensors' contents that launches may depend on. */
  readonly facts: readonly unknown[];
  /** Of the last run that was looked at. */
  template: Template | null;
  /** Runs that gave no template, or another one than the run before. */
  failures: number;
  /** Two runs gave the same template. */
  settled: boolean;
  /** What runs give. */
  made: readonly (Pick<Tensor, 'shape' | 'dtype'> | null)[];
  trainable: boolean;
  /** Places of leaves among inputs and parts. */
  leaves: readonly number[];
}

/** After so many failures nothing is tried any more. */
const MOST_FAILURES = 3;

/** Names of fields that say which layer it is; where a launch depends on them, templates differ. */
const PLACES: ReadonlySet<string> = new Set(['path', 'stack', 'layer', 'stream']);

/** What was learned from runs of one pass, whose layers share all tensors that are not their own. */
export class Repeats {
  readonly #kinds: Kind[] = [];

  /**
   * Runs `body`, or does what it would do.
   *
   * @param what which of the things that are done with the parts.
   * @param parts what the layer is made of.
   * @param inputs its further tensors.
   */
  run(what: string, parts: object, inputs: readonly Tensor[], body: () => Outcome): Outcome {
    const facts: unknown[] = [what];
    const tensors = [...inputs];
    look(parts, tensors, facts);
    const operands: Tensor[] = [];
    for (const tensor of tensors) {
      operands.push(tensor);
      const { dtype, offset, shape, requiresGrad, tracked, grad } = tensor;
      facts.push(dtype, offset, shape.length, ...shape, requiresGrad, tracked, grad !== null);
      if (!grad) continue;
      operands.push(grad);
      facts.push(grad.dtype, grad.offset);
    }
    const buffers = operands.map(({ storage }) => storage.buffer);
    facts.push(...sharing(buffers));
    let kind = this.#kinds.find((known) => sameFacts(known.facts, facts));
    if (!kind) {
      kind = { facts, template: null, failures: 0, settled: false, made: [], trainable: false, leaves: [] };
      this.#kinds.push(kind);
    }
    const { gpu } = operands[0];
    const { template } = kind;
    if (!kind.settled || !template) {
      return kind.failures < MOST_FAILURES ? observe(kind, tensors, operands, body) : body();
    }
    const storages: Storage[] = [];
    gpu.repeat(template, buffers, (i, bytes, purpose) => {
      storages[i] = new Storage(gpu, bytes, purpose);
      return storages[i].buffer;
    });
    const tensorsMade = kind.made.map((like, i) => like && new Tensor({ storage: storages[i], ...like }));
    return { tensors: tensorsMade, trainable: kind.trainable, leaves: kind.leaves.map((i) => tensors[i]) };
  }
}

function observe(
  kind: Kind,
  tensors: readonly Tensor[],
  operands: readonly Tensor[],
  body: () => Outcome,
): Outcome {
  const buffers = operands.map(({ storage }) => storage.buffer);
  const { result, template } = operands[0].gpu.capture(buffers, body, (outcome) =>
    outcome.tensors.map((tensor) => tensor?.storage.buffer ?? null),
  );
  const made = result.tensors.filter((tensor) => tensor !== null);
  const plain =
    made.every(({ offset }) => offset === 0) &&
    new Set(made.map(({ storage }) => storage)).size === made.length;
  const leaves = result.leaves.map((leaf) => tensors.indexOf(leaf));
  const usable = plain && !leaves.includes(-1) ? template : null;
  if (usable && kind.template?.equals(usable)) kind.settled = true;
  else if (!usable || kind.template) kind.failures++;
  kind.template = usable;
  kind.made = result.tensors.map((tensor) => tensor && { shape: tensor.shape, dtype: tensor.dtype });
  kind.trainable = result.trainable;
  kind.leaves = leaves;
  return result;
}

/** The tensors among a layer's parts that train, each once. */
export function leavesOf(parts: object): Tensor[] {
  const tensors: Tensor[] = [];
  look(parts, tensors, []);
  return [...new Set(tensors)].filter(({ requiresGrad }) => requiresGrad);
}

/** Collects the tensors in a value, and all else that is in it. */
function look(value: unknown, tensors: Tensor[], facts: unknown[]): void {
  if (typeof value !== 'object' || value === null) {
    facts.push(value);
  } else if ('isTensor' in value) {
    tensors.push(value as Tensor);
  } else {
    facts.push(value.constructor);
    for (const [name, part] of Object.entries(value)) {
      facts.push(name);
      if (PLACES.has(name)) facts.push(typeof part);
      else look(part, tensors, facts);
    }
  }
}

/** For each buffer, which is the first that is the same. */
function sharing(buffers: readonly unknown[]): number[] {
  const first = new Map<unknown, number>();
  return buffers.map((buffer, i) => {
    const found = first.get(buffer) ?? i;
    first.set(buffer, found);
    return found;
  });
}

function sameFacts(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((fact, i) => Object.is(fact, b[i]));
}
