/** Parity fixtures of kind `grpo`: a batch of completions with advantages, and what TRL makes of it. */
import type { Model, PassOptions } from '../../models/index.js';
import { Difference, type TensorReport } from '../../models/parity/difference.js';
import type { Fixture } from '../../models/parity/fixture.js';
import { compareGradient, type ParityKind, wantedGradients } from '../../models/parity/kinds.js';
import { type FixtureBatch, type FixtureRow, readBatch } from './batch.js';
import { type BatchRun, runBatch } from './run.js';

/** Names of the second path's tensors in reports. */
const SHARED = 'shared.';

/** Everything twice: with a prompt for every completion, as TRL has it, and with shared prompts. */
export const grpoKind: ParityKind = async (model, fixture, options) => {
  const batch = await readBatch(fixture, model);
  const wanted = wantedGradients(fixture, model);
  const targets = new Set(wanted.values());
  model.train((name) => targets.has(name));
  const reports: TensorReport[] = [];
  for (const shared of [false, true]) {
    const found = await compareRun(model, fixture, batch, wanted, { ...options, shared });
    reports.push(...found.map((report) => (shared ? { ...report, name: SHARED + report.name } : report)));
  }
  return reports;
};

async function compareRun(
  model: Model,
  fixture: Fixture,
  batch: FixtureBatch,
  wanted: ReadonlyMap<string, string>,
  options: PassOptions & { readonly shared: boolean },
): Promise<TensorReport[]> {
  model.clearGradients();
  const run = await runBatch(model, batch, { ...options, backward: wanted.size > 0 });
  const reports = await compareOutputs(fixture, batch, run);
  for (const [name, parameter] of wanted) {
    const tensor = model.findParameter(parameter);
    if (tensor) reports.push(await compareGradient(fixture, name, tensor));
  }
  model.clearGradients();
  return reports;
}

async function compareOutputs(fixture: Fixture, batch: FixtureBatch, run: BatchRun): Promise<TensorReport[]> {
  const reports: TensorReport[] = [];
  const outputs = [
    ['logps', run.logps],
    ['entropy', run.entropies],
  ] as const;
  for (const [name, actual] of outputs) {
    if (!fixture.has(name)) continue;
    fixture.checkShape(name, [batch.rows.length, batch.columns]);
    reports.push(await compareTokens(fixture, name, batch.rows, actual));
  }
  if (fixture.has('loss')) {
    const difference = new Difference();
    difference.add([run.loss], await fixture.floats('loss'));
    reports.push(difference.report('loss', fixture.tolerance));
  }
  return reports;
}

/** Compares the tokens that count. */
async function compareTokens(
  fixture: Fixture,
  name: string,
  rows: readonly FixtureRow[],
  actual: readonly Float32Array[],
): Promise<TensorReport> {
  const [, columns] = fixture.shape(name);
  const values = await fixture.floats(name);
  const difference = new Difference();
  rows.forEach((row, b) => {
    const counted = row.columns.flatMap((column, t) => (row.mask[t] ? [{ column, t }] : []));
    difference.add(
      counted.map(({ t }) => actual[b][t]),
      counted.map(({ column }) => values[b * columns + column]),
    );
  });
  return difference.report(name, fixture.tolerance);
}
