/** The kinds of parity fixtures that need nothing but a model: `forward` and `sft`. */
import { backward, crossEntropy, gatherRows, noGrad } from '../../autograd/index.js';
import { part } from '../../kernels/support.js';
import { scope, type Tensor } from '../../tensor/index.js';
import type { DeviceBatch } from '../core/batch.js';
import { adapterParameterName } from '../core/lora/disk.js';
import type { EncodedImages, Model, PassOptions } from '../core/model.js';
import { type ModelInputs, readInputs } from '../inputs.js';
import { Difference, type TensorReport } from './difference.js';
import type { Fixture } from './fixture.js';

/** Runs one kind of fixture; a kind that needs a trainer registers with the command. */
export type ParityKind = (model: Model, fixture: Fixture, options: PassOptions) => Promise<TensorReport[]>;

/** Bytes of logits that are compared at once. */
const LOGIT_BYTES = 64 * 1024 * 1024;
const PIECE = 1 << 22;

/** Only logits. */
export const forwardKind: ParityKind = async (model, fixture, options) => {
  model.train(() => false);
  const inputs = await readInputs(fixture, model);
  return withPass(model, inputs, options, async ({ batch, images }) => {
    const hidden = noGrad(() => model.hidden(batch, images?.features ?? null, options));
    const reports = await compareLogits(model, fixture, inputs, hidden);
    hidden.dispose();
    return reports;
  });
};

/** Logits, loss, and the gradients that the fixture lists. */
export const sftKind: ParityKind = async (model, fixture, options) => {
  const inputs = await readInputs(fixture, model);
  const wanted = wantedGradients(fixture, model);
  model.clearGradients();
  const targets = new Set(wanted.values());
  model.train((name) => targets.has(name));
  return withPass(model, inputs, options, async ({ batch, images }) => {
    const { rows, labels } = await countedRows(fixture, inputs);
    const hidden = model.hidden(batch, images?.features ?? null, options);
    const reports = await compareLogits(model, fixture, inputs, hidden);
    const loss = scope(() => crossEntropy(gatherRows(hidden, rows), model.head, labels));
    if (fixture.has('loss')) {
      const difference = new Difference();
      difference.add([await loss.item()], await fixture.floats('loss'));
      reports.push(difference.report('loss', fixture.tolerance));
    }
    if (wanted.size > 0) backward(loss);
    for (const tensor of [loss, hidden]) tensor.dispose();
    for (const [name, parameter] of wanted) {
      reports.push(await compareGradient(fixture, name, model.findParameter(parameter) as Tensor));
    }
    model.clearGradients();
    return reports;
  });
};

interface Pass {
  readonly batch: DeviceBatch;
  readonly images: EncodedImages | null;
}

async function withPass<T>(
  model: Model,
  inputs: ModelInputs,
  options: PassOptions,
  body: (pass: Pass) => Promise<T>,
): Promise<T> {
  const batch = model.prepare(inputs.packed);
  const images = inputs.pixels ? model.encodeImages(inputs.pixels, inputs.grids, options) : null;
  try {
    return await body({ batch, images });
  } finally {
    images?.dispose();
    batch.dispose();
  }
}

/** Compares the logits of all tokens that are not padding, some rows at a time. */
async function compareLogits(
  model: Model,
  fixture: Fixture,
  inputs: ModelInputs,
  hidden: Tensor,
): Promise<TensorReport[]> {
  if (!fixture.has('logits')) return [];
  const vocab = model.config.text.vocabSize;
  fixture.checkShape('logits', [inputs.rows, inputs.columns, vocab]);
  const difference = new Difference();
  const most = Math.max(1, Math.floor(LOGIT_BYTES / (4 * vocab)));
  for (let first = 0; first < inputs.places.length; first += most) {
    const places = inputs.places.subarray(first, first + most);
    const logits = noGrad(() =>
      scope(() =>
        model.logits(
          gatherRows(
            hidden,
            Array.from(places, (_, i) => first + i),
          ),
        ),
      ),
    );
    const values = await logits.data();
    logits.dispose();
    for (let i = 0; i < places.length; i++) {
      const expected = await fixture.floats('logits', places[i] * vocab, vocab);
      difference.add(values.subarray(i * vocab, (i + 1) * vocab), expected);
    }
  }
  return [difference.report('logits', fixture.tolerance)];
}

/** The packed rows whose next token counts, and these tokens. */
async function countedRows(
  fixture: Fixture,
  inputs: ModelInputs,
): Promise<{ rows: number[]; labels: number[] }> {
  const { values } = await fixture.integers('labels');
  fixture.checkShape('labels', [inputs.rows, inputs.columns]);
  const rowAt = new Map(Array.from(inputs.places, (place, row) => [place, row]));
  const rows: number[] = [];
  const labels: number[] = [];
  values.forEach((label, place) => {
    // Nothing predicts a row's first token.
    if (label === -100 || place % inputs.columns === 0) return;
    const row = rowAt.get(place - 1);
    if (row === undefined) {
      throw fixture.wrong(
        'labels',
        `counts position ${place}, which would be predicted from padding; use -100 there`,
      );
    }
    rows.push(row);
    labels.push(label);
  });
  if (rows.length === 0) throw fixture.wrong('labels', 'counts no token: all are -100');
  return { rows, labels };
}

const GRADIENT = 'grad.';

/** Parameters by the names of the gradients (or of what else has a prefix) that the fixture has. */
export function wantedGradients(fixture: Fixture, model: Model, prefix = GRADIENT): Map<string, string> {
  const { names } = model.config;
  const tied = model.findParameter(names.head) === undefined;
  const wanted = new Map<string, string>();
  for (const name of fixture.names()) {
    if (!name.startsWith(prefix)) continue;
    const canonical = adapterParameterName(names, name.slice(prefix.length));
    const parameter = canonical === names.head && tied ? names.embedding : canonical;
    const tensor = parameter === null ? undefined : model.findParameter(parameter);
    if (parameter === null || !tensor) {
      throw fixture.wrong(name, 'belongs to a parameter that the model does not have');
    }
    fixture.checkShape(name, tensor.shape);
    wanted.set(name, parameter);
  }
  return wanted;
}

/** Compares a parameter's gradient with the fixture's, some of it at a time. */
export async function compareGradient(
  fixture: Fixture,
  name: string,
  parameter: Tensor,
): Promise<TensorReport> {
  const difference = new Difference();
  for (let first = 0; first < parameter.size; first += PIECE) {
    const count = Math.min(PIECE, parameter.size - first);
    const expected = await fixture.floats(name, first, count);
    const { grad } = parameter;
    // Parameters that the batch does not reach (the tower, without images) have no gradient.
    const actual = grad
      ? new Float32Array(await grad.gpu.read(part(grad, first, count).range))
      : new Float32Array(count);
    difference.add(actual, expected);
  }
  return difference.report(name, fixture.tolerance);
}
