/** A fixture's batch through the policy and its loss. */
import type { Model, PassOptions } from '../../models/index.js';
import { policyLoss } from '../loss/policy-loss.js';
import { PolicyPass } from '../pass.js';
import type { FixtureBatch, FixtureRow } from './batch.js';

/** Settings of {@link runBatch}. */
export interface RunBatchOptions extends PassOptions {
  /** Rows with the same prompt and images share them. */
  readonly shared: boolean;
  /** Whether to add the loss's gradients to those of the weights. */
  readonly backward: boolean;
}

/** What came out; by row of the batch. */
export interface BatchRun {
  readonly loss: number;
  readonly logps: readonly Float32Array[];
  readonly entropies: readonly Float32Array[];
}

/** Runs a batch. */
export async function runBatch(
  model: Model,
  batch: FixtureBatch,
  options: RunBatchOptions,
): Promise<BatchRun> {
  const { rows, temperature, window, loss: settings } = batch;
  const groups = options.shared ? sharing(rows) : rows.map((row) => [row]);
  const order = groups.flat();
  const pass = new PolicyPass(
    model,
    groups.map((group) => ({ ...group[0], completions: group.flatMap(({ completions }) => completions) })),
    { temperature, recompute: options.recompute, copies: !options.shared },
  );
  try {
    const { logps, entropies } = await pass.read();
    const sequences = order.map((row, i) => ({ ...row, logps: logps[i], entropies: entropies[i] }));
    const { loss, logpGrads, entropyGrads } = policyLoss(sequences, settings, window);
    if (options.backward) pass.backward({ logps: logpGrads, entropies: entropyGrads });
    const byRow = <T>(values: readonly T[]) => rows.map((row) => values[order.indexOf(row)]);
    return { loss, logps: byRow(logps), entropies: byRow(entropies) };
  } finally {
    pass.dispose();
  }
}

/** Rows with the same prompt and pictures, as one group each. */
function sharing(rows: readonly FixtureRow[]): FixtureRow[][] {
  const groups: FixtureRow[][] = [];
  for (const row of rows) {
    const same = groups.find(([first]) => samePrompt(first, row));
    if (same) same.push(row);
    else groups.push([row]);
  }
  return groups;
}

function samePrompt(a: FixtureRow, b: FixtureRow): boolean {
  const equal = (x: ArrayLike<number>, y: ArrayLike<number>) =>
    x.length === y.length && Array.prototype.every.call(x, (value, i) => value === y[i]);
  if (!equal(a.prompt.ids, b.prompt.ids)) return false;
  if (String(a.prompt.images) !== String(b.prompt.images)) return false;
  return a.pixels === b.pixels || (!!a.pixels && !!b.pixels && equal(a.pixels, b.pixels));
}
