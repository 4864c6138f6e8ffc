/** Running a parity fixture against a model. */
import { SafetensorsError } from '../../formats/errors.js';
import type { Model, PassOptions } from '../core/model.js';
import type { TensorReport } from './difference.js';
import type { Fixture } from './fixture.js';
import { forwardKind, type ParityKind, sftKind } from './kinds.js';

/** The kinds that need nothing but a model. */
export const MODEL_KINDS: Readonly<Record<string, ParityKind>> = { forward: forwardKind, sft: sftKind };

/** Verdict on a fixture. */
export interface ParityReport {
  readonly pass: boolean;
  readonly tensors: readonly TensorReport[];
}

/** Compares everything that the fixture expects. */
export async function runParity(
  model: Model,
  fixture: Fixture,
  options: PassOptions = {},
  kinds: Readonly<Record<string, ParityKind>> = MODEL_KINDS,
): Promise<ParityReport> {
  const kind = Object.hasOwn(kinds, fixture.kind) ? kinds[fixture.kind] : undefined;
  if (!kind) {
    const known = Object.keys(kinds).join(', ');
    if (fixture.kind === '') {
      throw new SafetensorsError(
        fixture.path,
        `is not a parity fixture: its __metadata__ has no "kind", which is one of ${known}`,
      );
    }
    throw new SafetensorsError(
      fixture.path,
      `is of kind ${JSON.stringify(fixture.kind)}; known are ${known}`,
    );
  }
  const tensors = await kind(model, fixture, options);
  if (tensors.length === 0)
    throw new SafetensorsError(fixture.path, 'expects nothing: it has no logits, loss or gradients');
  return { pass: tensors.every(({ pass }) => pass), tensors };
}
